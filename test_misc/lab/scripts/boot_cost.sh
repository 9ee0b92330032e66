# SPDX-License-Identifier: MIT OR GPL-2.0-only
# What a boot costs, in ticks from the exec of the VMM to the first words of the guest's init: under likex-vmm on both devices, and under QEMU's microvm
# on stock KVM, each with the same kernel, initramfs, command line and memory. LiKeX takes no more than stock KVM, likex-vmm less than QEMU.
# lab: KERNEL=6.12 CPUS=1 MEMORY=768 TIMEOUT=1000 OVERLAY=build/qemu/6.12 KERNEL_ARGS="ROUNDS=1"
# `make test-boot` takes the least of three. (The words in capitals reach this script in its environment.)
ROUNDS=${ROUNDS:-3}
LINUX="console=ttyS0,115200 mitigations=off nokaslr panic=-1 tsc=reliable cryptomgr.notests quiet"

fail() { echo "boot_cost: $*" >&2; exit 1; }

# cost NAME PROGRAM...: the least of its rounds, in $least.
cost() {
    name=$1
    shift
    least= round=0
    while [ $round -lt $ROUNDS ]; do
        ticks=$(until_says "guest: $(uname -r)" timeout 450 "$@" < /dev/null 2> /tmp/said) || fail "$name: status $?: $(cat /tmp/said)"
        [ -n "$least" ] && [ $least -le $ticks ] || least=$ticks
        round=$((round + 1))
    done
    echo "$name: $((least / 1000000)) million ticks"
}

under_likex() {
    cost "likex-vmm on $1" likex boot --device $1 --kernel /boot/bzImage --initrd /boot/initrd --memory 128M --append "$LINUX"
}

modprobe kvm-intel || fail "no stock KVM"
cost "QEMU on /dev/kvm" qemu-system-x86_64 -L /usr/share/qemu -accel kvm,kernel-irqchip=split -machine microvm -cpu host -smp 1 -m 128 -nodefaults \
    -no-user-config -no-reboot -display none -serial stdio -kernel /boot/bzImage -initrd /boot/initrd -append "$LINUX"
qemu=$least
under_likex /dev/kvm
stock=$least
modprobe likex || fail "no likex"
under_likex /dev/rust_kvm
[ $least -le $stock ] || fail "$((least - stock)) ticks more than on stock KVM"
[ $least -lt $qemu ] && [ $stock -lt $qemu ] || fail "no less than QEMU"
