// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// RDMSR and WRMSR of an x2APIC's registers, after the MSR bitmap. SDM vol. 3, 30.5 "Virtualizing MSR-based APIC accesses".
extension VMCS {
    private static let x2APIC: ClosedRange<UInt32> = 0x800...0x8FF

    /// What RDMSR reads from the virtual-APIC page; nil: what it reads anyway.
    public func readAPIC(msr index: UInt32, _ memory: any PhysicalMemory) -> UInt64? {
        guard has(Proc2Control.virtualizeX2apic), Self.x2APIC.contains(index),
            has(Proc2Control.apicRegisterVirtualization) || index == 0x808
        else { return nil }
        return memory.load(self[.virtualApicAddr] + UInt64(index & 0xFF) << 4)
    }

    public enum APICWrite: Sendable, Equatable {
        /// WRMSR does what it does anyway.
        case ordinary
        case generalProtection
        case done
        /// After the instruction.
        case exit(VMXExitReason, qualification: UInt64)
    }

    /// What WRMSR does.
    public func writeAPIC(msr index: UInt32, _ value: UInt64, _ memory: any PhysicalMemory) -> APICWrite {
        guard has(Proc2Control.virtualizeX2apic) else { return .ordinary }
        let apic = VirtualAPIC(self, memory)
        switch index {
        case 0x808:
            if value >> 8 != 0 { return .generalProtection }
            memory.store(self[.virtualApicAddr] + 0x80, value)
            // TPR virtualization. SDM vol. 3, 30.1.2.
            apic?.updatePriority()
            return isBelowThreshold(memory) ? .exit(.tprBelowThreshold, qualification: 0) : .done
        case 0x80B:
            guard let apic else { return .ordinary }
            if value != 0 { return .generalProtection }
            return apic.endInterrupt().map { .exit(.virtualizedEoi, qualification: UInt64($0)) } ?? .done
        case 0x83F:
            guard let apic else { return .ordinary }
            if value >> 8 != 0 { return .generalProtection }
            apic[.selfIPI] = UInt32(value)
            if value < 16 { return .exit(.apicWrite, qualification: VirtualAPIC.Register.selfIPI.rawValue) }
            apic.request(UInt8(value))
            return .done
        default: return .ordinary
        }
    }
}
