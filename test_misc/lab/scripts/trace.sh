# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Each tracepoint fires, and the log lines at debug level come when they are asked for and not before.
# lab: KERNEL=6.1
# lab: KERNEL=6.12
modprobe likex || exit 1
mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null
mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null

likex test-vm --device /dev/rust_kvm || exit 1
if dmesg | grep "tdp_map level"; then
    echo "debug lines without having been asked for"
    exit 1
fi

echo 1 > /sys/kernel/tracing/events/likex/enable || exit 1
for guest in likex mmio64_load interrupts_long nmi; do
    likex run /guests/$guest.bin --device /dev/rust_kvm > /dev/null || exit 1
done
echo 0 > /sys/kernel/tracing/events/likex/enable
missing=
for event in entry exit inject fault mmio pio; do
    grep -m 1 "likex_$event:" /sys/kernel/tracing/trace || missing="$missing $event"
done
[ -z "$missing" ] || { echo "never seen:$missing"; exit 1; }

echo 'module likex +p' > /sys/kernel/debug/dynamic_debug/control || exit 1
likex test-vm --device /dev/rust_kvm || exit 1
echo 'module likex -p' > /sys/kernel/debug/dynamic_debug/control
missing=
for line in "eptp 0x" "vmcs 0x" "tdp_map level 1 gfn 0x0 spte 0x" "exit 30 qualification" "exit 12 qualification"; do
    dmesg | grep -m 1 "$line" || missing="$missing '$line'"
done
[ -z "$missing" ] || { echo "not in the log: $missing"; exit 1; }
rmmod likex
