# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Every guest on LiKeX by the test machine written in C, on a CPU model with fewer VMX features too.
# lab: KERNEL=6.1 CPUS=1 MODEL=corei3_cnl
set -e

modprobe likex
run_guest -d /dev/rust_kvm /guests/*.bin
# Without XSAVE, as here, the kernel switches extended registers.
fpu_turns /dev/rust_kvm 100
# Wrong ioctls on this model: no row may take the machine down (here the kernel has XSAVE off).
bad_ioctls /dev/rust_kvm >/tmp/rows
wc -l </tmp/rows
