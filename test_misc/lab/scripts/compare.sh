# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Every guest on stock KVM and on LiKeX: the same output, exits, registers and memory, and what guests.json expects.
# lab: KERNEL=6.1 CPUS=1
# lab: KERNEL=6.12 CPUS=1
set -e

modprobe kvm-intel
modprobe likex
likex compare /guests/*.bin --devices /dev/kvm,/dev/rust_kvm
