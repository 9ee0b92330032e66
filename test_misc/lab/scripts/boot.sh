# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Debian's kernel boots under likex-vmm to its init, with one processor, with two and with more than the host has, uses each of its virtio devices, powers off, and resets.
# lab: KERNEL=6.1 CPUS=2 MEMORY=768 TIMEOUT=1100 OVERLAY=build/guest-os/6.1 KERNEL_ARGS="DEVICES=/dev/rust_kvm MANY=4"
# lab: KERNEL=6.12 CPUS=2 MEMORY=768 TIMEOUT=1100 OVERLAY=build/guest-os/6.12 KERNEL_ARGS=DEVICES=/dev/rust_kvm
# `make test-boot` does so on both devices, with more of everything. (The words in capitals reach this script in its environment.)
DEVICES=${DEVICES:-/dev/kvm /dev/rust_kvm}
DISK_MIB=${DISK_MIB:-4}
PINGS=${PINGS:-20}
NET_MIB=${NET_MIB:-1}
VSOCK_MIB=${VSOCK_MIB:-1}
# Processors of a third start, more than there are here; none without it.
MANY=${MANY:-}
# What makes a start short, and none of it what is tested.
LINUX="console=ttyS0,115200 mitigations=off nokaslr panic=-1 tsc=reliable cryptomgr.notests quiet"
MEMORY=128 BALLOON=32
PRIVATE_KIB=4096
HOST=10.11.12.1 GUEST=10.11.12.2

fail() { echo "boot: $*" >&2; exit 1; }

# boot DEVICE CPUS WORDS...: the guest's words, in /tmp/console, and its end.
boot() {
    device=$1 cpus=$2
    shift 2
    echo "$device, $cpus CPU: $*"
    timeout ${PATIENCE:-600} likex boot --device $device --kernel /boot/bzImage --initrd /boot/initrd --memory ${MEMORY}M --cpus $cpus \
        --disk /tmp/disk --net tap0 --vsock 3:/tmp/vsock --balloon --control /tmp/control --append "$LINUX $*" < /dev/null > /tmp/console 2> /tmp/errors
    status=$?
    grep guest: /tmp/console
    [ $status = 0 ] || fail "status $status: $(cat /tmp/console /tmp/errors)"
}

says() { grep -q "^guest: $1" /tmp/console || fail "the guest did not say \"$1\": $(cat /tmp/console /tmp/errors)"; }

# wait_for WORDS: until the guest says so, or for ever: the guest's own end comes sooner.
wait_for() { until grep -q "^guest: $1" /tmp/console 2> /dev/null; do sleep 0.2; done; }

ask_balloon() { socket ask /tmp/control "{\"execute\": \"balloon\", \"arguments\": {\"value\": $(($1 << 20))}}" > /dev/null; }

# KiB that likex-vmm has for itself. Its file, from which it runs, all of its kind share; here that is in a ramfs, where smaps calls it dirty.
private() { awk '/^[0-9a-f]+-/ { guest = /guest-ram/ } /^Anonymous:/ && !guest { sum += $2 } END { print sum }' /proc/$(pidof likex-vmm)/smaps; }

# How often the event loop's thread, which is the process's first, has gone to sleep.
sleeps() { awk '/^voluntary_ctxt_switches/ { print $2 }' /proc/$(pidof likex-vmm)/status; }

# What the guest waits for: memory is asked for, then given back. Before that the guest does nothing that needs the event loop: it only looks each 0.2 s.
squeeze() {
    wait_for "balloon: waiting"
    private > /tmp/private
    before=$(sleeps)
    sleep 3
    echo $(($(sleeps) - before)) > /tmp/woken
    ask_balloon $((MEMORY - BALLOON))
    wait_for "balloon: in"
    ask_balloon $MEMORY
}

pattern() { yes "likex net 0123456789" | head -c $((NET_MIB << 20)); }

# nc stops sending when the other side has no more to say: a receiver's input never ends.
mkfifo /tmp/never
insmod /boot/tun.ko || fail "no tap"
tunctl -t tap0 > /dev/null || fail "no tap"
# No packets of the host's own, which would wake likex-vmm.
[ ! -e /proc/sys/net/ipv6/conf/tap0 ] || echo 1 > /proc/sys/net/ipv6/conf/tap0/disable_ipv6
ifconfig tap0 $HOST netmask 255.255.255.0 up || fail "no tap"
socket echo /tmp/vsock_1234 &
echo_server=$!
for device in $DEVICES; do
    case $device in
        /dev/kvm) modprobe kvm-intel || exit 1 ;;
        *) modprobe likex || exit 1 ;;
    esac
    truncate -s 96M /tmp/disk
    /boot/mke2fs -q -t ext4 -F /tmp/disk || fail "no file system"

    rm -f /tmp/console /tmp/private /tmp/woken
    squeeze &
    squeezer=$!
    boot $device 1 guest.disk=7,$DISK_MIB guest.random guest.sleep guest.balloon=$((BALLOON << 8))
    kill $squeezer 2> /dev/null
    says "$(uname -r), 1 CPU"
    says "disk: $DISK_MIB MiB written"
    says "random: 32 bytes"
    says slept
    says "balloon: out"
    echo "likex-vmm had $(cat /tmp/private) KiB of its own"
    [ "$(cat /tmp/private)" -le $PRIVATE_KIB ] || fail "more than $PRIVATE_KIB KiB"
    [ "$(cat /tmp/woken)" = 0 ] || fail "its event loop woke $(cat /tmp/woken) times in 3 s, for nothing"

    nc -l -p 5001 <> /tmp/never > /tmp/received &
    receiver=$!
    pattern | nc -l -p 5002 > /dev/null &
    sender=$!
    boot $device 2 guest.disk=7,$DISK_MIB guest.net=$GUEST,$HOST,$PINGS,$NET_MIB guest.vsock=1234,$VSOCK_MIB guest.reboot
    kill $receiver $sender 2> /dev/null
    says "$(uname -r), 2 CPU"
    says "disk: $DISK_MIB MiB as written"
    says "net: $PINGS packets transmitted, $PINGS packets received"
    says "net: received $(pattern | md5sum | cut -c 1-32)"
    [ "$(pattern | md5sum)" = "$(md5sum < /tmp/received)" ] || fail "$(stat -c %s /tmp/received) bytes came by TCP, and not what was sent"
    says "vsock: $((VSOCK_MIB << 20)) bytes echoed"
    grep -q "asked for a reset" /tmp/errors || fail "a reset is not said: $(cat /tmp/errors)"

    if [ -n "$MANY" ]; then
        boot $device $MANY guest.random
        says "$(uname -r), $MANY CPU"
        says "random: 32 bytes"
    fi
    rm /tmp/disk
done
kill $echo_server
