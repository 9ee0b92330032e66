// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What VMX instructions that fail call, as in the real module. */
#include "vmx_failed.c"
