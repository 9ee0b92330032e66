# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The page tables that the module shows under debugfs: the same as the simulator's of the same guests, for root alone, while VMs come
# and go on two CPUs, and no reader keeps a VM or lets the module go under it.
# lab: KERNEL=6.1 CPUS=2
# lab: KERNEL=6.12 CPUS=2
file=/sys/kernel/debug/likex/ept

fail() { echo "ept: $*" >&2; exit 1; }

modprobe likex || fail "likex does not load"
[ "$(stat -c '%a %u' $file)" = "400 0" ] || fail "$file: mode and owner are $(stat -c '%a %u' $file)"
[ "$(cat $file)" = "likex-ept 1" ] || fail "without a VM it says: $(cat $file)"

[ "$(dd if=$file bs=1 skip=6 count=5 2> /dev/null)" = "ept 1" ] || fail "from its seventh byte on it is something else"

# One walker made both. What differs by nature is left out.
same() { grep -v -E '^ *"(device|process|vm|frames)" :' "$1"; }
for guest in likex mmio64_load long_paging paging32 readonly_slot; do
    for device in sim /dev/rust_kvm; do
        likex ept /guests/$guest.bin --device $device --json > /tmp/ept.$(basename $device) || fail "$guest on $device"
    done
    same /tmp/ept.sim > /tmp/sim
    same /tmp/ept.rust_kvm > /tmp/module
    diff /tmp/sim /tmp/module || fail "$guest: the simulator's page tables (-) are not the module's (+)"
    echo "$guest: $(grep -c '"leaf" : true' /tmp/module) runs of pages, the same on both"
done

# Only root reads it, also where everybody may look into debugfs.
echo 'nobody:x:65534:65534::/:/bin/sh' > /etc/passwd
mount -o remount,mode=755 /sys/kernel/debug
su -s /bin/sh nobody -c "ls $file" || fail "the test's own: nobody cannot look into debugfs"
su -s /bin/sh nobody -c "cat $file" > /tmp/nobody 2>&1 && fail "nobody has read $file"
grep "Permission denied" /tmp/nobody || fail "nobody was refused otherwise: $(cat /tmp/nobody)"
chmod 666 /dev/rust_kvm
su -s /bin/sh nobody -c "likex ept /guests/likex.bin --device /dev/rust_kvm" > /tmp/nobody 2>&1
[ $? = 3 ] && grep "only root may look at page tables" /tmp/nobody || fail "likex ept said: $(cat /tmp/nobody)"

# VMs run on both CPUs, and one after the other is made and ended, while three readers go on.
hop /dev/rust_kvm 1000000 > /tmp/hop.out 2>&1 &
hop=$!
for i in $(seq 100); do
    ls -l /proc/$hop/fd 2> /dev/null | grep -q "anon_inode:likex-vm" && break
    sleep 0.1
done
likex ept --pid $hop > /tmp/live || fail "no tables of hop's VM: $(cat /tmp/hop.out)"
head -n 6 /tmp/live
for cpu in 1 2; do
    ( while [ ! -e /tmp/stop ]; do taskset $cpu test_misc /dev/rust_kvm > /dev/null && echo made || echo failed; done > /tmp/made.$cpu ) &
done
for reader in 1 2; do
    ( for i in $(seq 10); do cat $file; done > /tmp/reader.$reader; touch /tmp/done.$reader ) &
done
# Buffers smaller than a line make the kernel stop in the middle.
for i in $(seq 5); do dd if=$file bs=30 2> /dev/null; done > /tmp/reader.3
while [ ! -e /tmp/done.1 ] || [ ! -e /tmp/done.2 ] || [ "$(cat /tmp/made.1 /tmp/made.2 | wc -l)" -lt 10 ]; do sleep 0.1; done
touch /tmp/stop
kill $hop || fail "hop ended by itself: $(cat /tmp/hop.out)"
wait
grep failed /tmp/made.1 /tmp/made.2 && fail "VMs failed while others read"
echo "$(cat /tmp/made.1 /tmp/made.2 | wc -l) VMs made and ended meanwhile"
# Each VM's lines begin and end, and addresses go up.
awk '
    $1 == "likex-ept" { if (open) bad("a file ended within a VM"); files++; next }
    $1 == "vm" { if (open) bad("a VM begins in another"); open = 1; vms++; next }
    $1 == "end" || $1 == "gone" { if (!open) bad("an end of nothing"); open = 0; ends[$1]++; next }
    $1 == "table" || $1 == "leaf" { if (!open || NF != 5) bad("an entry of nothing"); entries++; next }
    { bad("what is this") }
    function bad(why) { print FILENAME ":" FNR ": " why ": " $0; wrong = 1; exit 1 }
    END { if (wrong) exit 1
          print files " reads, " vms " VMs seen, " entries " entries, " ends["gone"] + 0 " ended meanwhile"
          if (files != 25 || vms < 25 || entries < 50) { print "too few to mean anything"; exit 1 } }
' /tmp/reader.1 /tmp/reader.2 /tmp/reader.3 || fail "the file's lines are wrong"
[ "$(cat $file)" = "likex-ept 1" ] || fail "VMs are left: $(cat $file)"

# The host wants memory back: tables go, of VMs that idle and of VMs that run.
reclaim /dev/rust_kvm || fail "page tables under pressure"

# Who has it open has the module.
exec 4< $file
rmmod likex 2> /tmp/rmmod.out && fail "the module went while its file was open"
cat /tmp/rmmod.out
head -n 1 <&4 || fail "the open file is not readable"
exec 4<&-
rmmod likex || fail "the module does not go"
[ ! -e $file ] || fail "the module has gone and left $file"
likex ept --vm 1 > /tmp/gone 2>&1
[ $? = 3 ] && grep "LiKeX's module isn't loaded" /tmp/gone || fail "without the module likex ept said: $(cat /tmp/gone)"
