# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The cases of VM-entry checks and EPT walks that the simulated processor is tested with, on this processor too.
# lab: KERNEL=6.1 CPUS=1
modprobe vmx_cases || exit 1
vmx-cases || exit
rmmod vmx_cases
