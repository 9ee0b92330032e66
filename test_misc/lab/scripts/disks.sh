# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The public QMP client puts disks into a Linux guest that runs and takes them out again: test_misc/qmp/disks.
# lab: KERNEL=6.1 CPUS=1 MEMORY=768 TIMEOUT=900 OVERLAY=build/qmp-disks/6.1
# lab: KERNEL=6.12 CPUS=1 MEMORY=768 TIMEOUT=900 OVERLAY=build/qmp-disks/6.12
DEVICES=${DEVICES:-/dev/kvm /dev/rust_kvm}
LINUX="console=ttyS0,115200 mitigations=off nokaslr panic=-1 tsc=reliable cryptomgr.notests quiet"

fail() { echo "disks: $*" >&2; exit 1; }

for device in $DEVICES; do
    case $device in
        /dev/kvm) modprobe kvm-intel || exit 1 ;;
        *) modprobe likex || exit 1 ;;
    esac
    rm -f /tmp/console
    timeout 600 likex boot --device $device --kernel /boot/bzImage --initrd /boot/initrd --memory 128M --spare-disks 2 --control /tmp/control \
        --append "$LINUX guest.spare=vda,vdb,vda" < /dev/null > /tmp/console 2> /tmp/errors &
    vm=$!
    until grep -q "^guest: spare: waiting" /tmp/console; do
        kill -0 $vm 2> /dev/null || fail "the guest has gone: $(cat /tmp/console /tmp/errors)"
        sleep 0.5
    done
    echo "$device"
    python3 /qmp/disks.pyc /tmp/control /tmp/console /tmp $(pidof likex-vmm) || fail "$(cat /tmp/console /tmp/errors)"
    wait $vm || fail "status $?: $(cat /tmp/console /tmp/errors)"
done
