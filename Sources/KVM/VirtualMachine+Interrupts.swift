// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVMABI

/// Local APICs in the kernel, and what interrupts them from user space.
extension VirtualMachine {
    /// Each vCPU that is made from now on has a local APIC in the kernel; the I/O APIC is user space's. KVM_CAP_SPLIT_IRQCHIP
    ///
    /// - Parameter pins: of that I/O APIC: the ends of their interrupts are told (`Exit.endOfInterrupt`).
    public func splitInterruptController(pins: Int) throws(KVMError) { try enable(.splitIrqchip, UInt64(pins)) }

    /// Interrupts vCPUs by a message as a device would write it. SDM vol. 3, 11.11. KVM_SIGNAL_MSI
    ///
    /// - Returns: whether a vCPU took it.
    @discardableResult
    public func signal(address: UInt64, data: UInt32) throws(KVMError) -> Bool {
        var message = kvm_msi()
        message.address_lo = UInt32(truncatingIfNeeded: address)
        message.address_hi = UInt32(truncatingIfNeeded: address >> 32)
        message.data = data
        return try file.call(.signalMsi, &message) > 0
    }

    /// A message of a global interrupt (GSI).
    public struct Route: Equatable, Sendable {
        public let gsi: UInt32
        public let address: UInt64
        public let data: UInt32

        public init(gsi: UInt32, address: UInt64, data: UInt32) {
            self.gsi = gsi
            self.address = address
            self.data = data
        }
    }

    /// These messages become the only ones. Which of the I/O APIC's vectors the kernel tells the ends of goes by them. KVM_SET_GSI_ROUTING
    public func setRoutes(_ routes: [Route]) throws(KVMError) {
        // A union, which isn't known to be plain bytes: its fields by their offsets.
        var words: [UInt64] = []
        for route in routes {
            // gsi, type; flags, pad; address; data
            words += [UInt64(KVM_IRQ_ROUTING_MSI) << 32 | UInt64(route.gsi), 0, route.address, UInt64(route.data), 0, 0]
        }
        var bytes = FlexibleArray.bytes(header: MemoryLayout<kvm_irq_routing>.size, list: words)
        unsafe bytes.withUnsafeMutableBytes { unsafe $0.storeBytes(of: UInt32(routes.count), as: UInt32.self) }
        try file.call(.setGsiRouting, bytes: &bytes)
    }

    /// Where a kernel without unrestricted guest keeps a page table of its own. KVM_SET_IDENTITY_MAP_ADDR
    public func setIdentityMapAddress(_ address: GuestAddress) throws(KVMError) {
        var value = address.rawValue
        try file.call(.setIdentityMapAddr, &value)
    }
}
