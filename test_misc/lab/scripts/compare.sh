# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Every guest on stock KVM and on LiKeX: the same output, exits, registers and memory, and what guests.json expects.
# And what a switch between the two must keep: extended registers, and what an exit may cost (in instructions: the same in every run).
# lab: KERNEL=6.1 CPUS=1
# lab: KERNEL=6.12 CPUS=1
set -e

modprobe kvm-intel
modprobe likex
likex compare /guests/*.bin --devices /dev/kvm,/dev/rust_kvm
fpu_turns /dev/rust_kvm 200
# Eventfds for a guest's writes: one program, the same on both.
ioeventfd /dev/kvm
ioeventfd /dev/rust_kvm
# MSRs that user space answers or a filter denies, the same way.
user_msr /dev/kvm
user_msr /dev/rust_kvm
# Two processors with local APICs in the kernel.
lapic /dev/kvm
lapic /dev/rust_kvm
# Sixty-four of them.
many_cpus /dev/kvm
many_cpus /dev/rust_kvm
# Eventfds that interrupt, and the end of level-triggered interrupts.
irqfd /dev/kvm
irqfd /dev/rust_kvm
# Clock, wall clock and steal time of a guest that knows KVM.
pv_clock /dev/kvm
pv_clock /dev/rust_kvm
# What a VM can be told, and what is counted of it.
vm_caps /dev/rust_kvm
exit_cost /dev/rust_kvm io=1300 hlt=1300 cpuid=400 vmcall=400 rdmsr=400 wrmsr=400 arm=750 tick=1500
# Where no processor does a local APIC's work, its timer's neither: the same again, and there guests that know KVM can end interrupts without an exit.
rmmod likex
modprobe likex virtual_interrupts=0
lapic /dev/rust_kvm
irqfd /dev/rust_kvm
pv_clock /dev/rust_kvm
pv_eoi /dev/kvm
pv_eoi /dev/rust_kvm
