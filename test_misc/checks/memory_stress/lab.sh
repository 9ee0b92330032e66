# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Ten million accesses of two vCPUs while the host changes, swaps out, splits and joins what is behind them: nothing stale, nothing lost, and memory
# back where it was. By hand, some six minutes:
#     make lab SCRIPT=test_misc/checks/memory_stress/lab.sh CPUS=2 TIMEOUT=3600
ACCESSES=${ACCESSES:-10000000}
# What the kernel itself takes and keeps.
FREE_KIB=1024

modprobe likex || exit 1
# The lab's machine is so small that the kernel leaves huge pages off.
echo always > /sys/kernel/mm/transparent_hugepage/enabled

# One run, and free memory in KiB after it, with caches given back. (Each CPU keeps some pages, huge ones, too, that MemFree doesn't count: 12 MiB were seen.)
stress() {
    modprobe brd rd_nr=1 rd_size=16384 || exit 1
    memory_stress /dev/rust_kvm $1 /dev/ram0 || exit 1
    rmmod brd
    for pass in 1 2; do
        echo 3 > /proc/sys/vm/drop_caches
        for cache in /sys/kernel/slab/*/shrink; do echo 1 > "$cache"; done 2> /dev/null
        sleep 1
    done
    free=$(awk '/^MemFree:/ { free = $2 } / count:/ { free += 4 * $2 } END { print free }' /proc/meminfo /proc/zoneinfo)
}

# The first one fills caches that stay.
stress 20000
before=$free
stress $ACCESSES
echo "free memory $before -> $free KiB"
if [ $((before - free)) -gt $FREE_KIB ]; then
    echo "more than $FREE_KIB KiB are gone"
    exit 1
fi
grep -E '^(pswpin|pswpout|thp_fault_alloc|thp_collapse_alloc|thp_split_page) ' /proc/vmstat
rmmod likex
