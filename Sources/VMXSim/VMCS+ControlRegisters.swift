// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

extension VMCS {
    private static let taskSwitched: UInt64 = 1 << 3

    /// CR0 as the guest reads it: host-owned bits from the shadow. SDM vol. 3, 25.6.6.
    public func readCR0(_ real: UInt64) -> UInt64 {
        real & ~self[.cr0GuestHostMask] | self[.cr0ReadShadow] & self[.cr0GuestHostMask]
    }

    public func readCR4(_ real: UInt64) -> UInt64 {
        real & ~self[.cr4GuestHostMask] | self[.cr4ReadShadow] & self[.cr4GuestHostMask]
    }

    /// MOV to CR0.
    public func writeCR0(
        _ value: UInt64, over real: UInt64, register: Int, _ capabilities: Capabilities
    ) -> ControlRegisterAccess {
        let mask = self[.cr0GuestHostMask]
        if (value ^ self[.cr0ReadShadow]) & mask != 0 {
            return .exit(qualification: ControlRegisterAccess.qualification(0, .movTo, register: register))
        }
        // ET is always 1, and other reserved bits keep their value.
        let merged = value & ~mask | real & mask
        let free = has(Proc2Control.unrestrictedGuest) ? Bit.cr0PE | Bit.cr0PG : 0
        guard EntryChecker.fits(merged, fixed0: capabilities.cr0Fixed0 & ~free, fixed1: capabilities.cr0Fixed1)
        else { return .generalProtection }
        return .write(merged)
    }

    /// MOV to CR4.
    public func writeCR4(
        _ value: UInt64, over real: UInt64, register: Int, _ capabilities: Capabilities
    ) -> ControlRegisterAccess {
        let mask = self[.cr4GuestHostMask]
        if (value ^ self[.cr4ReadShadow]) & mask != 0 {
            return .exit(qualification: ControlRegisterAccess.qualification(4, .movTo, register: register))
        }
        let merged = value & ~mask | real & mask
        guard EntryChecker.fits(merged, fixed0: capabilities.cr4Fixed0, fixed1: capabilities.cr4Fixed1)
        else { return .generalProtection }
        return .write(merged)
    }

    /// MOV to CR3: no exit for one of the target values.
    public func writeCR3(_ value: UInt64, register: Int) -> ControlRegisterAccess {
        let targets: [VMCSField] = [.cr3TargetValue0, .cr3TargetValue1, .cr3TargetValue2, .cr3TargetValue3]
        let isTarget = targets.prefix(Int(self[.cr3TargetCount])).contains { self[$0] == value }
        if has(ProcControl.cr3LoadExiting), !isTarget {
            return .exit(qualification: ControlRegisterAccess.qualification(3, .movTo, register: register))
        }
        return .write(value)
    }

    /// CLTS: with TS host-owned it exits where the guest sees TS set, and does nothing where not.
    public func clts(_ real: UInt64) -> ControlRegisterAccess {
        if self[.cr0GuestHostMask] & Self.taskSwitched == 0 { return .write(real & ~Self.taskSwitched) }
        if self[.cr0ReadShadow] & Self.taskSwitched == 0 { return .write(real) }
        return .exit(qualification: ControlRegisterAccess.qualification(0, .clts))
    }

    /// LMSW: changes MP, EM and TS, and sets PE but never clears it.
    public func lmsw(_ source: UInt16, over real: UInt64, fromMemory: Bool) -> ControlRegisterAccess {
        let mask = self[.cr0GuestHostMask]
        let wanted = UInt64(source) & 15
        let shadow = self[.cr0ReadShadow]
        let raisesPE = mask & ~shadow & wanted & 1 != 0
        if (wanted ^ shadow) & mask & 0xE != 0 || raisesPE {
            return .exit(
                qualification: ControlRegisterAccess.qualification(
                    0, .lmsw, lmswSource: source, lmswFromMemory: fromMemory))
        }
        let changed = real & ~0xE | wanted & 0xE | real & 1 | wanted & 1
        return .write(changed & ~mask | real & mask)
    }
}
