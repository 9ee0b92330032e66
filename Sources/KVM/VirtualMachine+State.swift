// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import CKVMABI
public import KVMABI

/// What of a VM's own state moves with it: its clock. Its memory is the caller's.
extension VirtualMachine {
    /// KVM_GET_CLOCK
    public func clock() throws(KVMError) -> kvm_clock_data {
        var clock = kvm_clock_data()
        try file.call(.getClock, &clock)
        return clock
    }

    /// The clock goes on from there; by the real time gone since, where `clock` has it. KVM_SET_CLOCK
    public func setClock(_ clock: kvm_clock_data) throws(KVMError) {
        var clock = clock
        try file.call(.setClock, &clock)
    }

    /// Turns on a capability with its first argument. KVM_ENABLE_CAP
    public func enable(_ capability: Capability, _ argument: UInt64 = 1) throws(KVMError) {
        var request = kvm_enable_cap()
        request.cap = capability.number
        request.args.0 = argument
        try file.call(.enableCap, &request)
    }

    /// Makes events of its vCPUs tell all that `layout` has. Before the first of them runs.
    public func prepare(for layout: StateLayout) throws(KVMError) {
        for capability in layout.enabled { try enable(capability) }
    }
}
