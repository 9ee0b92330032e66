// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVMABI

extension VCPU {
    /// Queues an external interrupt; the vCPU must be ready for it (`runPage.isReadyForInterrupt`). KVM_INTERRUPT
    public func interrupt(vector: UInt8) throws(KVMError) {
        var interrupt = kvm_interrupt(irq: UInt32(vector))
        try file.call(.interrupt, &interrupt)
    }

    /// Queues an NMI. KVM_NMI
    public func nmi() throws(KVMError) { try file.call(.nmi) }

    /// Sets what CPUID answers in the guest. KVM_SET_CPUID2
    public func setCPUID(_ table: CPUIDTable) throws(KVMError) { try table.set(file) }

    /// What CPUID answers in the guest. KVM_GET_CPUID2
    public func cpuid() throws(KVMError) -> CPUIDTable { try CPUIDTable(of: file) }

    /// Values of MSRs. KVM_GET_MSRS
    ///
    /// - Returns: as many as the device had, in the order asked for, up to the first that it doesn't have.
    public func msrs(_ indices: [UInt32]) throws(KVMError) -> [MSRList.Entry] { try MSRList.get(indices, file) }

    /// Sets MSRs. KVM_SET_MSRS
    ///
    /// - Returns: how many were set, up to the first that the device refused.
    public func setMSRs(_ entries: [MSRList.Entry]) throws(KVMError) -> Int { try MSRList.set(entries, file) }

    /// Walks the guest's page tables. KVM_TRANSLATE
    ///
    /// - Returns: the physical address, or nil where there is none.
    public func translate(linear address: UInt64) throws(KVMError) -> GuestAddress? {
        var translation = kvm_translation()
        translation.linear_address = address
        try file.call(.translate, &translation)
        return translation.valid != 0 ? GuestAddress(translation.physical_address) : nil
    }
}
