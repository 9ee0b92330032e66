// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "cvmxcases.h"

_Static_assert(sizeof(struct vmx_cases_field) == 16 && sizeof(struct vmx_cases_run) == 48, "layouts of vmx_cases.h");
