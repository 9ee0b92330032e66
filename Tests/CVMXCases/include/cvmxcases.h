/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Swift's view of the device of test_misc/vmx_cases: the _IO macros are not imported, constants that evaluate them are. */
#ifndef CVMXCASES_H
#define CVMXCASES_H

#include "../../../test_misc/vmx_cases/vmx_cases.h"

static const unsigned long vmx_cases_ioctl_info = VMX_CASES_INFO;
static const unsigned long vmx_cases_ioctl_msr = VMX_CASES_MSR;
static const unsigned long vmx_cases_ioctl_run = VMX_CASES_RUN;

#endif
