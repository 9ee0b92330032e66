# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Stock KVM and LiKeX take turns in one boot, LiKeX inserted and removed 20 times: all guests print their 4, and memory is
# back where it was.
# lab: KERNEL=6.1 CPUS=1
# lab: KERNEL=6.12 CPUS=2

ROUNDS=20
# Memory is looked at after every fourth round, 24 VMs of LiKeX each. What is allowed is the growth from the worst of rounds 4 to 12
# to round 20, 48 VMs later. Stock KVM alone, measured the same way, moves up and down by 150 and 30 KiB; a page lost
# per VM, or a KiB of slab objects, shows up.
FREE_KIB=150
SLAB_KIB=40

nl='
'
fail() { echo "turns: round $round: $*" >&2; exit 1; }

# A program whose first line must be the guest's output, 4 (likex test-vm says more after it).
prints_4() {
	output=$("$@" 2>/tmp/errors) || fail "$* ends with status $?: $output $(cat /tmp/errors)"
	[ "${output%%$nl*}" = 4 ] || fail "$* prints '$output', expected 4"
}

stock() { prints_4 likex test-vm --device /dev/kvm; }

take_turns() {
	stock
	modprobe likex || fail "likex does not load"
	[ -c /dev/rust_kvm ] || fail "likex is loaded, but there is no /dev/rust_kvm"
	for again in 1 2 3 4 5; do prints_4 test_misc /dev/rust_kvm; done
	stock
	prints_4 likex test-vm --device /dev/rust_kvm
	stock
	rmmod likex || fail "likex does not go"
	[ ! -e /dev/rust_kvm ] || fail "likex is gone, but /dev/rust_kvm is still there"
	stock
}

# Prints free memory and the bytes of all slab objects in use, in KiB, with caches given back.
memory() {
	sync
	for pass in 1 2; do
		echo 3 >/proc/sys/vm/drop_caches
		echo 1 >/proc/sys/vm/compact_memory
		for cache in /sys/kernel/slab/*/shrink; do echo 1 >"$cache"; done 2>/dev/null
		sleep 1
	done
	awk '/^MemFree:/ { print $2 }' /proc/meminfo
	awk 'NR > 2 { bytes += $2 * $4 } END { print int(bytes / 1024) }' /proc/slabinfo
}

# The huge zero page comes and goes with user space: 2 MiB that would hide what is looked for.
huge_pages=/sys/kernel/mm/transparent_hugepage/enabled
[ ! -e $huge_pages ] || echo never >$huge_pages

round=0
modprobe kvm-intel || fail "stock KVM does not load"
free_worst= slab_worst=
while [ $round -lt $ROUNDS ]; do
	round=$((round + 1))
	take_turns
	[ $((round % 4)) -eq 0 ] || continue
	set -- $(memory)
	echo "after round $round: free memory $1 KiB, slab objects $2 KiB"
	[ $round -le 12 ] || continue
	[ -n "$free_worst" ] && [ $free_worst -lt $1 ] || free_worst=$1
	[ -n "$slab_worst" ] && [ $slab_worst -gt $2 ] || slab_worst=$2
done
[ $((free_worst - $1)) -le $FREE_KIB ] ||
	fail "$((free_worst - $1)) KiB of free memory are gone since rounds 4 to 12, at most $FREE_KIB may be"
[ $(($2 - slab_worst)) -le $SLAB_KIB ] ||
	fail "slab objects grew by $(($2 - slab_worst)) KiB since rounds 4 to 12, at most $SLAB_KIB are allowed"
