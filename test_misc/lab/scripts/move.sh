# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Every guest stopped at each of its exits and moved whole to a new VM goes on to the same result.
# lab: KERNEL=6.1 CPUS=1
set -e

modprobe likex
likex move /guests/*.bin --device /dev/rust_kvm
