# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Four threads give the device whatever comes, and VMMs are killed in the midst of what they do, on a kernel that poisons what is free, checks its objects and ends at the first warning: no word in
# its log, nothing left, and the module goes. By hand; a call is some 9,000 instructions. (Debian's kernels have no page_poison: pages are cleared
# when they are freed. CALLS and SEED reach this script in its environment.)
#     make lab SCRIPT=test_misc/fuzz/ioctls_lab.sh CPUS=2 TIMEOUT=3000 KERNEL_ARGS='slub_debug=FZPU init_on_free=1 panic_on_warn=1 preempt=full CALLS=500000 SEED=2'
CALLS=${CALLS:-20000}
SEED=${SEED:-1}
# What the kernel itself takes and keeps.
FREE_KIB=1024

modprobe likex || exit 1

# Free memory in KiB, with caches given back.
memory() {
    sync
    for pass in 1 2; do
        echo 3 > /proc/sys/vm/drop_caches
        for cache in /sys/kernel/slab/*/shrink; do echo 1 > "$cache"; done 2> /dev/null
        sleep 1
    done
    awk '/^MemFree:/ { print $2 }' /proc/meminfo
}

# The first calls fill caches that stay.
fuzz_ioctls /dev/rust_kvm 5000 0 > /tmp/first.out || { cat /tmp/first.out; exit 1; }
kill_vmm /dev/rust_kvm 7 || exit 1
before=$(memory)
fuzz_ioctls /dev/rust_kvm $CALLS $SEED || exit 1
kill_vmm /dev/rust_kvm 140 || exit 1
after=$(memory)
echo "free memory $before -> $after KiB"
if [ $((before - after)) -gt $FREE_KIB ]; then
    echo "more than $FREE_KIB KiB are gone"
    exit 1
fi
rmmod likex
