# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Stock KVM and LiKeX take turns in one boot, LiKeX inserted and removed 20 times: all guests print their 4, and memory is
# back where it was.
# lab: KERNEL=6.1 CPUS=1
# lab: KERNEL=6.12 CPUS=1

ROUNDS=20
# First, strictly: LiKeX alone with a small program, 8 rounds of 6 VMs. Free memory stands still there (0 KiB measured), so a
# page that is lost per round shows up, and one per VM six times over.
ALONE_FREE_KIB=24
# Then all turns, with a large program: free memory moves by 1.5 MiB whatever it does (likex --help does the same), slab objects by 40 KiB.
TURNS_FREE_KIB=2048
SLAB_KIB=64

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

# What is gone or grown since the values of before (free memory and slab objects, in KiB).
judge() {
	echo "$1: free memory $3 -> $5 KiB, slab objects $4 -> $6 KiB"
	[ $(($3 - $5)) -le $2 ] || fail "$(($3 - $5)) KiB of free memory are gone, at most $2 may be"
	[ $(($6 - $4)) -le $SLAB_KIB ] || fail "slab objects grew by $(($6 - $4)) KiB, at most $SLAB_KIB are allowed"
}

alone() {
	modprobe likex || fail "likex does not load"
	for again in 1 2 3 4 5 6; do prints_4 test_misc /dev/rust_kvm; done
	rmmod likex || fail "likex does not go"
}

round=0
while [ $round -lt 12 ]; do
	round=$((round + 1))
	alone
	# The first rounds fill caches that stay.
	[ $round -gt 4 ] || before=$(memory)
done
judge "LiKeX alone, 8 rounds" $ALONE_FREE_KIB $before $(memory)

round=0
modprobe kvm-intel || fail "stock KVM does not load"
while [ $round -lt $ROUNDS ]; do
	round=$((round + 1))
	take_turns
	[ $round -gt 4 ] || before=$(memory)
done
judge "turns, 16 rounds" $TURNS_FREE_KIB $before $(memory)
