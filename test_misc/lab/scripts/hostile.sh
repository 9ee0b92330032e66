# SPDX-License-Identifier: MIT OR GPL-2.0-only
# What a hostile or unlucky VMM does, on a kernel that checks its objects, clears what is free, may switch threads anywhere and ends at the first
# warning: whatever ioctls come, of four threads; VMMs killed in the midst of it; the n-th allocation failing. No word in the kernel's log,
# no object and no page left, and the module goes.
# lab: KERNEL=6.1 CPUS=2 TIMEOUT=1200 KERNEL_ARGS='slub_debug=FZP;FZPU,kmalloc-cg-* init_on_free=1 panic_on_warn=1 preempt=full'
# Two million calls by hand (the words in capitals reach this script in its environment):
#     make lab SCRIPT=test_misc/lab/scripts/hostile.sh CPUS=2 TIMEOUT=6000 \
#         KERNEL_ARGS='slub_debug=FZP;FZPU,kmalloc-cg-* init_on_free=1 panic_on_warn=1 preempt=full CALLS=2000000 SEED=2'
CALLS=${CALLS:-20000}
SEED=${SEED:-1}
KILLS=${KILLS:-105}
FAIL_ROUNDS=2
# What the kernel itself takes and keeps: for the fuzzer's mappings and threads, for files. (The module's pages are counted one by one by fail_alloc.)
FREE_KIB=2048

fail() { echo "hostile: $*" >&2; exit 1; }

# Free memory in KiB, with caches given back, and what each CPU keeps of it, which MemFree doesn't count.
memory() {
    sync
    echo 3 > /proc/sys/vm/drop_caches
    for cache in /sys/kernel/slab/kmalloc-*/shrink /sys/kernel/slab/vm_area_struct/shrink; do echo 1 > "$cache"; done 2> /dev/null
    sleep 0.5
    awk '/^MemFree:/ { free = $2 } / count:/ { free += 4 * $2 } END { print free }' /proc/meminfo /proc/zoneinfo
}

# Objects that the module allocated and that are still there: how many, and where. (What its load allocates goes with it.)
objects() { cat /sys/kernel/debug/slab/kmalloc-cg-*/alloc_traces | awk -v RS= '/\[likex\]/ && !/likex_init/ { print; found = 1 } END { exit !found }'; }

# What was freed by kfree_rcu goes up to five seconds later.
no_objects() {
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        objects > /tmp/objects || return 0
        sleep 1
    done
    cat /tmp/objects
    fail "objects of the module are left after $*"
}

modprobe likex || exit 1
# A file that is open is an object, and seen.
exec 4<> /dev/rust_kvm
objects > /dev/null || fail "the file that is open now is not among the objects that slub_debug=U shows"
exec 4>&-
# The first ones fill caches that stay.
kill_vmm /dev/rust_kvm 7 || exit 1
fuzz_ioctls /dev/rust_kvm 2000 0 > /tmp/first.out || { cat /tmp/first.out; exit 1; }
no_objects "the first ioctls and kills"
before=$(memory)
kill_vmm /dev/rust_kvm $KILLS || exit 1
fuzz_ioctls /dev/rust_kvm $CALLS $SEED || exit 1
no_objects "ioctls and kills"
after=$(memory)
echo "free memory $before -> $after KiB, no object of the module left"
[ $((before - after)) -le $FREE_KIB ] || fail "more than $FREE_KIB KiB are gone"
rmmod likex || fail "likex does not go"

[ -e /debug/likex.ko ] || fail "the build whose allocations fail is missing: LIKEX_FAIL_ALLOC=y test_misc/lab/kmod build $(uname -r | cut -d. -f1,2)"
insmod /debug/likex.ko preemption_timer=200000 || exit 1
fail_alloc /dev/rust_kvm $FAIL_ROUNDS || exit 1
no_objects "failed allocations"
rmmod likex
