# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Stock KVM and LiKeX take turns in one boot, LiKeX inserted and removed 20 times: all guests print their 4, and memory is
# back where it was.
# lab: KERNEL=6.1 CPUS=1
# lab: KERNEL=6.12 CPUS=1

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

# run_guest compares what the guest prints by itself, and is a quarter of likex's time.
stock() { run_guest -d /dev/kvm /guests/likex.bin >/tmp/stock 2>&1 || fail "run_guest: $(cat /tmp/stock)"; }

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
	prints_4 likex test-vm --device /dev/kvm
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
	awk '/^MemFree:/ { free = $2 } / count:/ { free += 4 * $2 } END { print free }' /proc/meminfo /proc/zoneinfo
	awk 'NR > 2 { bytes += $2 * $4 } END { print int(bytes / 1024) }' /proc/slabinfo
}

# The huge zero page comes and goes with user space: 2 MiB that would hide what is looked for.
huge_pages=/sys/kernel/mm/transparent_hugepage/enabled
[ ! -e $huge_pages ] || echo never >$huge_pages

# Runs `turn` ROUNDS times and looks at memory before and after. The kernel itself takes some pages now and then (a worker
# thread, a slab of its own) and keeps them, once; what is lost by a turn is lost in every batch. So: good if one of six is.
# Arguments: name of the turn, its rounds in a batch, KiB of free memory that may be gone.
batches() {
	for batch in 1 2 3 4 5 6; do
		set -- $1 $2 $3 $(memory)
		round=0
		while [ $round -lt $2 ]; do
			round=$((round + 1))
			$1
		done
		set -- $1 $2 $3 $4 $5 $(memory)
		echo "$1, $2 rounds: free memory $4 -> $6 KiB, slab objects $5 -> $7 KiB"
		[ $(($4 - $6)) -gt $3 ] || [ $(($7 - $5)) -gt $SLAB_KIB ] || return 0
	done
	fail "six times over, more than $3 KiB of free memory are gone, or slab objects grew by more than $SLAB_KIB KiB"
}

alone() {
	modprobe likex || fail "likex does not load"
	for again in 1 2 3 4 5 6; do prints_4 test_misc /dev/rust_kvm; done
	rmmod likex || fail "likex does not go"
}

# The first rounds fill caches that stay.
for round in 1 2 3 4; do alone; done
batches alone 8 $ALONE_FREE_KIB

modprobe kvm-intel || fail "stock KVM does not load"
for round in 1 2 3 4; do take_turns; done
batches take_turns 16 $TURNS_FREE_KIB
