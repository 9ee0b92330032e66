// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// The task priority of a guest with "use TPR shadow": byte 0x80 of the virtual-APIC page. SDM vol. 3, 30.1.1 to 30.3.
extension VMCS {
    private var virtualTPR: UInt64 { self[.virtualApicAddr] + 0x80 }

    /// MOV from CR8.
    public func readTaskPriority(_ memory: any PhysicalMemory) -> UInt64 { UInt64(memory.byte(virtualTPR) >> 4) }

    /// MOV to CR8: true where a VM exit for the threshold follows the instruction.
    public func writeTaskPriority(_ value: UInt64, _ memory: any PhysicalMemory) -> Bool {
        // The four bytes that the task priority has, the upper three zero.
        memory.store(virtualTPR, memory.load(virtualTPR) & ~0xFFFF_FFFF | (value & 15) << 4)
        VirtualAPIC(self, memory)?.updatePriority()
        return isBelowThreshold(memory)
    }

    /// Whether the guest's priority is below the threshold, without virtual-interrupt delivery.
    public func isBelowThreshold(_ memory: any PhysicalMemory) -> Bool {
        has(ProcControl.tprShadow) && !has(Proc2Control.virtualInterruptDelivery)
            && self[.tprThreshold] & 15 > readTaskPriority(memory)
    }
}
