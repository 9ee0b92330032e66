# SPDX-License-Identifier: MIT OR GPL-2.0-only
# `make bench`, the part inside the machine: stock KVM and LiKeX in turn in one boot. What is measured goes to standard output as
# JSON behind a line of its own.
set -e

# The kernel has them off by itself where it has as little memory as here. What is measured on 4 KiB asks for these (MADV_NOHUGEPAGE).
echo madvise > /sys/kernel/mm/transparent_hugepage/enabled
modprobe kvm-intel
modprobe likex
# bench adds the options behind it.
likex bench --device /dev/kvm,/dev/rust_kvm --progress --json "$@" >/tmp/bench.json || status=$?
echo @json
cat /tmp/bench.json
exit ${status:-0}
