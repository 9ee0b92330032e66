# SPDX-License-Identifier: MIT OR GPL-2.0-only
# `make run`, the part inside the machine: the test VM on stock KVM, on LiKeX, and a guest on both side by side.
set -e

echo "== $(uname -sr), stock kvm-intel: the test VM on /dev/kvm"
modprobe kvm-intel
likex test-vm --device /dev/kvm
rmmod kvm-intel

echo "== likex.ko: the test VM on /dev/rust_kvm"
modprobe likex
likex test-vm --device /dev/rust_kvm

echo "== the same guest on both, side by side"
modprobe kvm-intel
likex compare /guests/likex.bin --devices /dev/kvm,/dev/rust_kvm
rmmod kvm-intel
rmmod likex
