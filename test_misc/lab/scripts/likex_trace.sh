# SPDX-License-Identifier: MIT OR GPL-2.0-only
# likex trace on the module: the same exits as on the simulator, by its trace points; without root what comes to user space.
# lab: KERNEL=6.1
# lab: KERNEL=6.12
fail() { echo "likex_trace: $*" >&2; exit 1; }

modprobe likex || fail "likex does not load"
mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null

# Exits by name and what they were about, but for the machine's own, which come at any time. With A/D bits a walk of the guest's tables
# reads and writes (SDM vol. 3, table 28-7); Bochs says of it that it writes.
exits() {
    awk '/^ *"exit" :/ { own = /EXTERNAL_INTERRUPT|PREEMPTION_TIMER/ }
         /^ *"(exit|what|userSpace|rip)" :/ && !own { sub("read[+]write of a page table", "write of a page table"); print }' "$1"
}
for guest in likex mmio64_load; do
    for device in sim /dev/rust_kvm; do
        likex trace /guests/$guest.bin --device $device --json > /tmp/trace.$(basename $device) || fail "$guest on $device"
    done
    grep '"source" : "tracepoints"' /tmp/trace.rust_kvm > /dev/null || fail "$guest: not by trace points"
    exits /tmp/trace.sim > /tmp/sim
    exits /tmp/trace.rust_kvm > /tmp/module
    diff /tmp/sim /tmp/module > /tmp/diff || { head -n 40 /tmp/diff; fail "$guest: the simulator's exits (-) are not the module's (+)"; }
    echo "$guest: $(grep -c '"exit" :' /tmp/module) exits, the same on both"
done
likex trace /guests/likex.bin --device /dev/rust_kvm --svg /tmp/trace.svg || fail "as text"
grep -q '</svg>' /tmp/trace.svg || fail "no picture"
ls -d /sys/kernel/tracing/instances/likex-* 2> /dev/null && fail "a tracing instance is left"

echo 'nobody:x:65534:65534::/:/bin/sh' > /etc/passwd
chmod 666 /dev/rust_kvm
su -s /bin/sh nobody -c "likex trace /guests/likex.bin --device /dev/rust_kvm" > /tmp/nobody 2>&1 || fail "without root"
cat /tmp/nobody
grep -q "only exits to user space are shown: only root may use /sys/kernel/tracing" /tmp/nobody || fail "it does not say why"
grep -q "3 exits to user space" /tmp/nobody || fail "not three exits"
rmmod likex
