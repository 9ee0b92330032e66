# SPDX-License-Identifier: MIT OR GPL-2.0-only
# vCPU threads that move between two CPUs for 2,000 runs under a storm of signals, of one VM and of four.
# lab: KERNEL=6.1 CPUS=2
set -e

modprobe likex
hop /dev/rust_kvm 2000
