# SPDX-License-Identifier: MIT OR GPL-2.0-only
# A guest that breaks every rule of its devices (test_misc/guest_os/hostile) neither ends likex-vmm, nor hangs it, nor makes it grow.
# lab: KERNEL=6.1 CPUS=2 MEMORY=768 TIMEOUT=300 OVERLAY=build/guest-os/6.1 KERNEL_ARGS=DEVICES=/dev/rust_kvm
# `make test-boot` does so on both devices, a minute for each thing that TURNS names. (The words in capitals reach this script in its environment.)
DEVICES=${DEVICES:-/dev/kvm /dev/rust_kvm}
# Virtio devices by number (disk, one that comes and goes, network, vsock, balloon, entropy, console), ports, mmio, or all by turns.
TURNS=${TURNS:-all}
SEEDS=${SEEDS:-1}
# Of the TSC: the emulated machine has 50 in a second.
MILLIONS=${MILLIONS:-200}
PATIENCE=${PATIENCE:-120}
# What likex-vmm may have of its own, and how much more of it than when its guest began.
PRIVATE_KIB=4096 GROWTH_KIB=1024 MOST_FILES=300

fail() { echo "hostile_guest: $*" >&2; exit 1; }

# As boot.sh has it.
private() { awk '/^[0-9a-f]+-/ { guest = /guest-ram/ } /^Anonymous:/ && !guest { sum += $2 } END { print sum }' /proc/$1/smaps 2> /dev/null; }

# A disk comes and goes some times, whatever the guest has made of its slot.
churn() {
    add='{"execute": "device_add", "arguments": {"driver": "virtio-blk-device", "id": "d", "drive": "n"}}'
    del='{"execute": "device_del", "arguments": {"id": "d"}}'
    socket ask /tmp/control '<>/tmp/spare' '{"execute": "add-fd"}' \
        '{"execute": "blockdev-add", "arguments": {"node-name": "n", "driver": "file", "filename": "/dev/fdset/0"}}' \
        "$add" "$del" "$add" "$del" "$add" "$del" "$add" "$del" '{"execute": "blockdev-del", "arguments": {"node-name": "n"}}' \
        '{"execute": "query-status"}'
}

# While the guest rages: a line each time of KiB and open files; a line in /tmp/deaf if the control socket doesn't answer, though the VM is there.
watch_vmm() {
    gone=0
    until grep -q "^hostile: .* devices" /tmp/console 2> /dev/null; do sleep 0.2; done
    while vmm=$(pidof likex-vmm); do
        kib=$(private $vmm) files=$(ls /proc/$vmm/fd 2> /dev/null | wc -l)
        if churn 2> /tmp/ask > /tmp/answers && grep -q running /tmp/answers; then
            echo "$kib $files" >> /tmp/samples
        else
            sleep 3
            if [ ! -e /tmp/control ] && [ $gone -lt 15 ]; then
                # It has taken its socket away: it is about to end. (On stock KVM that has taken more than ten seconds; a minute is too long.)
                gone=$((gone + 1))
            elif [ "$(pidof likex-vmm)" = "$vmm" ]; then
                cat /tmp/answers /tmp/ask >> /tmp/deaf
            fi
        fi
        sleep 1
    done
}

# rage DEVICE TURN SEED
rage() {
    truncate -s 8M /tmp/disk
    truncate -s 3M /tmp/spare
    rm -f /tmp/console /tmp/samples /tmp/deaf
    : > /tmp/samples
    watch_vmm &
    watcher=$!
    # What hangs doesn't heed SIGTERM.
    timeout -s KILL $PATIENCE likex boot --device $1 --kernel /boot/hostile --memory 32M --append "device=$2 seed=$3 ticks=$MILLIONS" \
        --disk /tmp/disk --spare-disks 1 --net tap0 --vsock 3:/tmp/vsock --balloon --console --control /tmp/control < /dev/null > /tmp/console 2> /tmp/errors
    status=$?
    kill $watcher 2> /dev/null
    wait $watcher 2> /dev/null
    # Among the rest of what it sent, a line of its own.
    told=$(tr -d '\000' < /tmp/console | grep "^hostile: device $2, seed $3, rounds [1-9]") || told="no end told"
    echo "$1: $told; KiB and files at first $(head -n 1 /tmp/samples), most $(sort -n /tmp/samples | tail -n 1), $(wc -l < /tmp/samples) answers"
    [ $status = 0 ] || fail "status $status: $(tail -n 20 /tmp/errors) $(strings /tmp/console | tail -n 3)"
    case $told in no*) fail "$(strings /tmp/console | tail -n 3)" ;; esac
    [ ! -e /tmp/deaf ] || fail "the control socket doesn't answer: $(cat /tmp/deaf)"
    [ -s /tmp/samples ] || fail "the control socket was never asked"
    awk -v most=$PRIVATE_KIB -v growth=$GROWTH_KIB -v files=$MOST_FILES '
        NR == 1 { first = $1 }
        $1 > most || $1 > first + growth || $2 > files { bad = 1 }
        END { exit bad }' /tmp/samples || fail "likex-vmm grew: $(tr '\n' ';' < /tmp/samples)"
}

# After ten seconds khugepaged makes one page of 2 MiB of a heap that has some: no growth of likex-vmm's own.
echo never > /sys/kernel/mm/transparent_hugepage/enabled
insmod /boot/tun.ko || fail "no tap"
tunctl -t tap0 > /dev/null && ifconfig tap0 10.11.12.1 netmask 255.255.255.0 up || fail "no tap"
socket echo /tmp/vsock_1234 &
echo_server=$!
for device in $DEVICES; do
    case $device in
        /dev/kvm) modprobe kvm-intel || exit 1 ;;
        *) modprobe likex || exit 1 ;;
    esac
    for turn in $(echo $TURNS | tr , ' '); do
        # Sooner or later stock KVM of 6.1 does nothing but such VM exits, it seems since the guest switched its APIC off: a guest that tells no end.
        case "$device $turn $(uname -r)" in "/dev/kvm mmio 6.1."*)
            echo "$device: mmio: left out, this kernel's KVM repeats a VM exit for ever (TPR below threshold)"
            continue
            ;;
        esac
        for seed in $(echo $SEEDS | tr , ' '); do rage $device $turn $seed; done
    done
done
kill $echo_server
