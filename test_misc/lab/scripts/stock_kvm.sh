# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The machine itself: Debian's own KVM loads, makes its device, and goes. Whoever doubts LiKeX looks here first.
# lab: KERNEL=6.1 CPUS=1
# lab: KERNEL=6.12 CPUS=2
# lab: KERNEL=6.1 CPUS=1 MODEL=corei3_cnl
set -e

modprobe kvm-intel
[ -c /dev/kvm ]
[ "$(cat /sys/module/kvm_intel/parameters/ept)" = Y ]
[ "$(cat /sys/module/kvm_intel/parameters/unrestricted_guest)" = Y ]
virt_at_load=/sys/module/kvm/parameters/enable_virt_at_load
[ ! -e $virt_at_load ] || [ "$(cat $virt_at_load)" = N ]
lsmod | grep '^kvm_intel '
rmmod kvm-intel
[ ! -e /dev/kvm ]
