# SPDX-License-Identifier: MIT OR GPL-2.0-only
# A CPU goes and comes back while vCPUs run, move and are made: none of them notices, and no CPU that is off is in VMX operation.
# lab: KERNEL=6.1 CPUS=2 TIMEOUT=400
# lab: KERNEL=6.12 CPUS=2 TIMEOUT=400
set -e

modprobe likex
online=/sys/devices/system/cpu/cpu1/online

# With no VM, with one that is made while the CPU is away, and with vCPUs running.
echo 0 > $online
likex test-vm --device /dev/rust_kvm
echo 1 > $online
likex test-vm --device /dev/rust_kvm

hop /dev/rust_kvm 6000 > /tmp/hop.out 2>&1 &
sleep 0.2 # it counts the CPUs first
rounds=0
while kill -0 $! 2> /dev/null; do
    echo 0 > $online
    sleep 0.05
    echo 1 > $online
    sleep 0.05
    rounds=$((rounds + 1))
done
if ! wait $!; then
    cat /tmp/hop.out
    echo "hop failed while CPU 1 went and came"
    exit 1
fi
cat /tmp/hop.out
echo "CPU 1 went and came $rounds times"
[ $rounds -ge 4 ]

# The CPU that stayed away when the last VM went must not think it still is in VMX operation: a VM runs there again.
taskset 2 likex test-vm --device /dev/rust_kvm
rmmod likex
modprobe kvm-intel
taskset 2 likex test-vm --device /dev/kvm
