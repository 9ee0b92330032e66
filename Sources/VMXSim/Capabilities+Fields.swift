// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

extension Capabilities {
    /// Whether the processor has a field of the VMCS: some come with a control. SDM vol. 3, appendix B.
    func supports(_ field: VMCSField) -> Bool {
        switch field {
        case .vpid: may(.enableVpid)
        case .postedInterruptVector, .postedInterruptDescAddr: truePin >> 32 & PinControl.postedInterrupts.mask != 0
        case .eptpIndex, .veInformationAddr: may(.eptViolationVe)
        case .guestInterruptStatus, .eoiExitBitmap0, .eoiExitBitmap1, .eoiExitBitmap2, .eoiExitBitmap3:
            may(.virtualInterruptDelivery)
        case .pmlIndex, .pmlAddress: may(.enablePml)
        case .msrBitmap: may(ProcControl.useMsrBitmaps)
        case .virtualApicAddr, .tprThreshold: may(ProcControl.tprShadow)
        case .apicAccessAddr: may(.virtualizeApicAccesses)
        case .vmFunctionControl: may(.enableVmFunctions)
        case .eptpListAddr: vmFunctions & 1 != 0
        case .eptPointer, .guestPhysicalAddress, .guestPdpte0, .guestPdpte1, .guestPdpte2, .guestPdpte3:
            may(.enableEpt)
        case .vmreadBitmap, .vmwriteBitmap: may(.vmcsShadowing)
        case .xssExitingBitmap: may(.enableXsaves)
        case .enclsExitingBitmap: may(.enclsExiting)
        case .enclvExitingBitmap: may(.enclvExiting)
        case .sppTablePointer: may(.subPageWritePermissions)
        case .tscMultiplier: may(.useTscScaling)
        case .proc3Controls: may(ProcControl.tertiaryControls)
        case .proc2Controls: may(ProcControl.secondaryControls)
        case .pleGap, .pleWindow: may(.pauseLoopExiting)
        case .guestIa32Bndcfgs: trueEntry >> 32 & EntryControl.loadBndcfgs.mask != 0
        case .guestIa32PerfGlobalCtrl: trueEntry >> 32 & EntryControl.loadPerfGlobalCtrl.mask != 0
        case .hostIa32PerfGlobalCtrl: trueExit >> 32 & ExitControl.loadPerfGlobalCtrl.mask != 0
        case .preemptionTimerValue: truePin >> 32 & PinControl.preemptionTimer.mask != 0
        default: true
        }
    }

    /// By slot: 0 no such field, 1 read only, 2 read and write.
    func fieldTable() -> [UInt8] {
        var table = [UInt8](repeating: 0, count: VMCS.slots)
        for field in VMCSField.allCases where supports(field) {
            table[VMCS.slot(field.rawValue)] = field.access == .readOnly && !allowsReadOnlyWrites ? 1 : 2
        }
        return table
    }
}
