# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Memory changed under a guest: it sees the new contents or the VMM gets EFAULT.
# lab: KERNEL=6.1 CPUS=2
# lab: KERNEL=6.12 CPUS=1
set -e

modprobe likex
memory_change /dev/rust_kvm
