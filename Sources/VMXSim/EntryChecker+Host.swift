// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

extension EntryChecker {
    /// SDM vol. 3, 27.2.2 to 27.2.4, on a processor in IA-32e mode.
    mutating func host() {
        let is64Bit = vmcs.has(ExitControl.hostAddressSpaceSize)
        let cr4 = vmcs[.hostCr4]
        check(
            .hostCR0, .hostCr0,
            EntryChecker.fits(vmcs[.hostCr0], fixed0: capabilities.cr0Fixed0, fixed1: capabilities.cr0Fixed1))
        check(
            .hostCR4, .hostCr4, EntryChecker.fits(cr4, fixed0: capabilities.cr4Fixed0, fixed1: capabilities.cr4Fixed1))
        check(.hostCR3, .hostCr3, !capabilities.isBeyond(vmcs[.hostCr3] & ~(1 << 63)))
        for field in [VMCSField.hostSysenterEsp, .hostSysenterEip] {
            check(.hostSysenter, field, Bits.isCanonical(vmcs[field]))
        }
        if vmcs.has(ExitControl.loadPerfGlobalCtrl) {
            check(
                .hostPerfGlobalControl, .hostIa32PerfGlobalCtrl,
                vmcs[.hostIa32PerfGlobalCtrl] & ~capabilities.perfGlobalControl == 0)
        }
        if vmcs.has(ExitControl.loadPat) { check(.hostPAT, .hostIa32Pat, Bits.isPAT(vmcs[.hostIa32Pat])) }
        if vmcs.has(ExitControl.loadEfer) {
            let efer = vmcs[.hostIa32Efer]
            check(.hostEFER, .hostIa32Efer, efer & ~Bit.efer == 0)
            check(
                .hostEFERMode, .hostIa32Efer,
                (efer & Bit.eferLMA != 0) == is64Bit && (efer & Bit.eferLME != 0) == is64Bit)
        }
        hostSegments(is64Bit)

        check(.hostNot64Bit, .exitControls, is64Bit)
        guard is64Bit else { return }
        check(.hostPAE, .hostCr4, cr4 & Bit.cr4PAE != 0)
        check(.hostRIP, .hostRip, Bits.isCanonical(vmcs[.hostRip]))
    }

    private mutating func hostSegments(_ is64Bit: Bool) {
        let selectors: [VMCSField] = [
            .hostCsSelector, .hostSsSelector, .hostDsSelector, .hostEsSelector, .hostFsSelector, .hostGsSelector,
            .hostTrSelector,
        ]
        for field in selectors { check(.hostSelector, field, vmcs[field] & 7 == 0) }
        check(.hostNullSelector, .hostCsSelector, vmcs[.hostCsSelector] != 0)
        check(.hostNullSelector, .hostTrSelector, vmcs[.hostTrSelector] != 0)
        if !is64Bit { check(.hostNullSelector, .hostSsSelector, vmcs[.hostSsSelector] != 0) }
        for field in [VMCSField.hostFsBase, .hostGsBase, .hostGdtrBase, .hostIdtrBase, .hostTrBase] {
            check(.hostBase, field, Bits.isCanonical(vmcs[field]))
        }
    }

    /// Bits that must be 1 are, and no others than those that may be. SDM vol. 3, appendix A.7, A.8.
    static func fits(_ value: UInt64, fixed0: UInt64, fixed1: UInt64) -> Bool {
        fixed0 & ~value == 0 && value & ~fixed1 == 0
    }
}
