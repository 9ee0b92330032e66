# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Every guest on the simulator, on LiKeX and on stock KVM: the same output, exits, registers and memory.
# lab: KERNEL=6.1 CPUS=1
set -e

modprobe kvm-intel
modprobe likex
likex compare /guests/*.bin --devices sim,/dev/rust_kvm,/dev/kvm
