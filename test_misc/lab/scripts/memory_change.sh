# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Memory changed under a guest: it sees the new contents or the VMM gets EFAULT; what it uses is not swapped out. And the life of a VM never waits, beside however many others.
# lab: KERNEL=6.1 CPUS=2
# lab: KERNEL=6.12 CPUS=1
set -e

modprobe likex
memory_change /dev/rust_kvm
# Everything at once, with swap and huge pages. Ten million accesses, by hand: test_misc/checks/memory_stress/lab.sh.
echo always > /sys/kernel/mm/transparent_hugepage/enabled
modprobe brd rd_nr=1 rd_size=16384
memory_stress /dev/rust_kvm 100000 /dev/ram0
# A host that lacks memory takes what no guest uses.
echo never > /sys/kernel/mm/transparent_hugepage/enabled
mkswap /dev/ram0 > /dev/null
swapon /dev/ram0
mkdir /tmp/groups
mount -t cgroup2 none /tmp/groups
echo +memory > /tmp/groups/cgroup.subtree_control
mkdir /tmp/groups/vmm
ageing /dev/rust_kvm /tmp/groups/vmm
life /dev/rust_kvm
# With stock KVM's module there, too: the kernel's one slot for leaving VMX in an emergency is then given back with the last VM (6.12).
modprobe kvm-intel
life /dev/rust_kvm 1
