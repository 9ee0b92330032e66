# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Wrong ioctls give the same errno on stock KVM and on LiKeX, but for the listed differences.
# lab: KERNEL=6.1 CPUS=1
# lab: KERNEL=6.12 CPUS=1
set -e

# Bochs does page-modification logging wrong (busy.sh).
modprobe kvm-intel pml=0
modprobe likex
bad_ioctls --compare /dev/kvm /dev/rust_kvm
