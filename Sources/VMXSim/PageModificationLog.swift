// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// Where a processor writes down the pages whose dirty flags it sets, from the end of a page to its beginning. SDM vol. 3, 28.3.6 "Page-Modification
/// Logging" (30.3.6 in newer editions).
public struct PageModificationLog {
    public static let entries: UInt64 = 512

    private let vmcs: VMCS
    private let memory: any PhysicalMemory

    /// nil where "enable PML" is 0.
    public init?(_ vmcs: VMCS, _ memory: any PhysicalMemory) {
        guard vmcs.has(Proc2Control.enablePml) else { return nil }
        self.vmcs = vmcs
        self.memory = memory
    }

    /// An access that needs an accessed or a dirty flag set exits now, before it sets any.
    var isFull: Bool { vmcs[.pmlIndex] >= Self.entries }

    /// A dirty flag has become 1 for an access to this address.
    func add(_ guestPhysical: UInt64) {
        let index = vmcs[.pmlIndex]
        memory.store(vmcs[.pmlAddress] + index * 8, guestPhysical & ~0xFFF)
        // 16 bits: 0xFFFF follows 0.
        vmcs[.pmlIndex] = index &- 1
    }
}
