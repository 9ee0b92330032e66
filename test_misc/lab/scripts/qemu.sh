# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Debian's own QEMU, which knows nothing of LiKeX, boots Debian's kernel on its microvm to its init, with virtio devices: with local APICs in the
# kernel and the I/O APIC in QEMU (split), and with all of them in QEMU (off). It opens /dev/kvm: there the device is bound for it.
# lab: KERNEL=6.1 CPUS=1 MEMORY=768 TIMEOUT=1100 OVERLAY=build/qemu/6.1 KERNEL_ARGS="DEVICES=/dev/rust_kvm CHIPS=off"
# lab: KERNEL=6.12 CPUS=2 MEMORY=768 TIMEOUT=1100 OVERLAY=build/qemu/6.12 KERNEL_ARGS="DEVICES=/dev/rust_kvm CHIPS=split SMP=2"
# `make test-boot` does both on both devices, whose guests must say the same. (The words in capitals reach this script in its environment.)
DEVICES=${DEVICES:-/dev/kvm /dev/rust_kvm}
CHIPS=${CHIPS:-split off}
SMP=${SMP:-1}
# What makes a start short, and none of it what is tested.
LINUX="console=ttyS0,115200 mitigations=off nokaslr panic=-1 cryptomgr.notests quiet"

fail() { echo "qemu: $*" >&2; exit 1; }

# start CHIPS WORDS...: what the guest says is in /tmp/console. Without kvm-asyncpf-int, whose MSR QEMU sets and stock KVM refuses where there are no
# local APICs in the kernel.
start() {
    chips=$1
    shift
    timeout ${PATIENCE:-450} qemu-system-x86_64 -L /usr/share/qemu -accel kvm,kernel-irqchip=$chips -machine microvm -cpu host,-kvm-asyncpf-int \
        -smp $SMP -m 128 -nodefaults -no-user-config -no-reboot -display none -serial stdio \
        -kernel /boot/bzImage -initrd /boot/initrd -append "$LINUX $*" \
        -device virtio-rng-device -drive id=disk,file=/tmp/disk,format=raw,if=none -device virtio-blk-device,drive=disk \
        < /dev/null > /tmp/console 2> /tmp/errors
}

says() { grep -q "^guest: $1" /tmp/console || fail "the guest did not say \"$1\": $(cat /tmp/console /tmp/errors)"; }

for device in $DEVICES; do
    case $device in
        /dev/kvm) modprobe kvm-intel || exit 1 ;;
        *)
            modprobe likex || exit 1
            [ -e /dev/kvm ] || : > /dev/kvm
            mount --bind $device /dev/kvm || fail "can't bind $device"
    esac
    for chips in $CHIPS; do
        echo "$device, kernel-irqchip=$chips, $SMP CPU"
        truncate -s 96M /tmp/disk
        /boot/mke2fs -q -t ext4 -F /tmp/disk || fail "no file system"
        start $chips guest.random guest.sleep guest.disk=7,4
        status=$?
        grep ^guest: /tmp/console
        [ $status = 0 ] || fail "status $status: $(cat /tmp/console /tmp/errors)"
        says "$(uname -r), $SMP CPU"
        says "random: 32 bytes"
        says slept
        says "disk: 4 MiB written"
        ! grep -i "unchecked MSR\|WARNING:\|BUG:" /tmp/console || fail "the guest's kernel complains: $(cat /tmp/console)"
        grep ^guest: /tmp/console > /tmp/said
        [ ! -e /tmp/said_$chips ] || cmp /tmp/said /tmp/said_$chips || fail "the guests of two devices differ"
        mv /tmp/said /tmp/said_$chips
        rm /tmp/disk
    done
    umount /dev/kvm 2> /dev/null
done
