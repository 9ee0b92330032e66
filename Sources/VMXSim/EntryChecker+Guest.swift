// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

extension EntryChecker {
    var isLongMode: Bool { vmcs.has(EntryControl.ia32eModeGuest) }
    var isUnrestricted: Bool { vmcs.has(Proc2Control.unrestrictedGuest) }
    var isVirtual8086: Bool { vmcs[.guestRflags] & Bit.flagsVM != 0 }

    /// SDM vol. 3, 27.3.1.
    mutating func guest() {
        guestControlRegisters()
        guestMSRs()
        guestSegments()
        guestDescriptorTables()
        guestFlags()
        guestNonRegister()
        guestPDPTEs()
    }

    /// SDM vol. 3, 27.3.1.1.
    private mutating func guestControlRegisters() {
        let cr0 = vmcs[.guestCr0]
        let cr4 = vmcs[.guestCr4]
        let free = isUnrestricted ? Bit.cr0PE | Bit.cr0PG : 0
        // CD and NW are never checked; PE and PG are the guest's own where it is unrestricted.
        check(
            .guestCR0, .guestCr0,
            EntryChecker.fits(
                cr0 & ~0x6000_0000, fixed0: capabilities.cr0Fixed0 & ~free, fixed1: capabilities.cr0Fixed1))
        check(
            .guestPagingWithoutProtection, .guestCr0, cr0 & Bit.cr0PG == 0 || cr0 & Bit.cr0PE != 0)
        check(
            .guestCR4, .guestCr4,
            EntryChecker.fits(cr4, fixed0: capabilities.cr4Fixed0, fixed1: capabilities.cr4Fixed1))
        if isLongMode {
            check(.guestLongModeWithoutPaging, .guestCr0, cr0 & Bit.cr0PG != 0)
            check(.guestLongModeWithoutPAE, .guestCr4, cr4 & Bit.cr4PAE != 0)
        } else {
            check(.guestPCIDOutsideLongMode, .guestCr4, cr4 & Bit.cr4PCIDE == 0)
        }
        check(.guestCR3, .guestCr3, !capabilities.isBeyond(vmcs[.guestCr3]))
    }

    private mutating func guestMSRs() {
        if vmcs.has(EntryControl.loadDebugControls) {
            check(
                .guestDebugControl, .guestIa32Debugctl, vmcs[.guestIa32Debugctl] & ~capabilities.debugControl == 0)
            check(.guestDR7, .guestDr7, vmcs[.guestDr7] >> 32 == 0)
        }
        for field in [VMCSField.guestSysenterEsp, .guestSysenterEip] {
            check(.guestSysenter, field, Bits.isCanonical(vmcs[field]))
        }
        if vmcs.has(EntryControl.loadPerfGlobalCtrl) {
            check(
                .guestPerfGlobalControl, .guestIa32PerfGlobalCtrl,
                vmcs[.guestIa32PerfGlobalCtrl] & ~capabilities.perfGlobalControl == 0)
        }
        if vmcs.has(EntryControl.loadPat) { check(.guestPAT, .guestIa32Pat, Bits.isPAT(vmcs[.guestIa32Pat])) }
        if vmcs.has(EntryControl.loadEfer) {
            let efer = vmcs[.guestIa32Efer]
            check(.guestEFER, .guestIa32Efer, efer & ~Bit.efer == 0)
            check(.guestEFERMode, .guestIa32Efer, (efer & Bit.eferLMA != 0) == isLongMode)
            if vmcs[.guestCr0] & Bit.cr0PG != 0 {
                check(
                    .guestEFEREnable, .guestIa32Efer, (efer & Bit.eferLMA != 0) == (efer & Bit.eferLME != 0))
            }
        }
        if vmcs.has(EntryControl.loadBndcfgs) {
            let bounds = vmcs[.guestIa32Bndcfgs]
            check(.guestBNDCFGS, .guestIa32Bndcfgs, bounds & 0xFFC == 0 && Bits.isCanonical(bounds & ~0xFFF))
        }
    }

    /// SDM vol. 3, 27.3.1.3.
    private mutating func guestDescriptorTables() {
        for field in [VMCSField.guestGdtrBase, .guestIdtrBase] {
            check(.guestTableBase, field, Bits.isCanonical(vmcs[field]))
        }
        for field in [VMCSField.guestGdtrLimit, .guestIdtrLimit] {
            check(.guestTableLimit, field, vmcs[field] >> 16 == 0)
        }
    }

    /// SDM vol. 3, 27.3.1.4.
    private mutating func guestFlags() {
        let rip = vmcs[.guestRip]
        let is64Bit = isLongMode && vmcs[.guestCsAccessRights] & 1 << 13 != 0
        // Bits 63:48 agree with each other, but not with bit 47: the first address behind the lower half enters.
        check(.guestRIP, .guestRip, is64Bit ? [0, 0xFFFF].contains(rip >> 48) : rip >> 32 == 0)
        let flags = vmcs[.guestRflags]
        check(.guestFlagsReserved, .guestRflags, flags & ~0x3F_7FD7 == 0 && flags & 2 != 0)
        if isLongMode || vmcs[.guestCr0] & Bit.cr0PE == 0 {
            check(.guestFlagsVirtual8086, .guestRflags, flags & Bit.flagsVM == 0)
        }
        if isInjecting(.externalInterrupt) {
            check(.guestFlagsInterrupt, .guestRflags, flags & Bit.flagsIF != 0)
        }
    }

    func isInjecting(_ kind: Injection.Kind) -> Bool {
        let info = vmcs[.entryInterruptionInfo]
        return info & 1 << 31 != 0 && info >> 8 & 7 == UInt64(kind.rawValue)
    }

    /// SDM vol. 3, 27.3.1.6.
    private mutating func guestPDPTEs() {
        guard vmcs[.guestCr0] & Bit.cr0PG != 0, vmcs[.guestCr4] & Bit.cr4PAE != 0, !isLongMode else { return }
        let fields: [VMCSField] = [.guestPdpte0, .guestPdpte1, .guestPdpte2, .guestPdpte3]
        let usesEPT = vmcs.has(Proc2Control.enableEpt)
        for (index, field) in fields.enumerated() {
            let entry = usesEPT ? vmcs[field] : memory.load((vmcs[.guestCr3] & 0xFFFF_FFE0) + UInt64(index) * 8)
            let isValid = entry & 1 == 0 || entry & 0x1E6 == 0 && !capabilities.isBeyond(entry)
            check(.guestPDPTE, usesEPT ? field : .guestCr3, isValid)
        }
    }
}
