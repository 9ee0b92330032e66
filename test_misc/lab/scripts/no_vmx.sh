# SPDX-License-Identifier: MIT OR GPL-2.0-only
# A processor that lacks what the module needs: ENODEV at load, and the kernel's log says what is missing.
# lab: KERNEL=6.1 MODEL=core2_penryn_t9600
# lab: KERNEL=6.12 MODEL=corei5_lynnfield_750
if modprobe likex 2> /tmp/modprobe.out; then
    echo "likex was loaded on a processor that cannot run it"
    exit 1
fi
cat /tmp/modprobe.out
grep -q "No such device" /tmp/modprobe.out || exit 1
dmesg | grep "likex: this processor lacks" || exit 1
likex doctor && exit 1
exit 0
