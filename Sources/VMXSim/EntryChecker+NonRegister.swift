// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

extension EntryChecker {
    private enum Blocking {
        static let sti: UInt64 = 1
        static let movSS: UInt64 = 2
        static let smi: UInt64 = 4
        static let nmi: UInt64 = 8
        static let enclave: UInt64 = 16
    }

    /// SDM vol. 3, 27.3.1.5.
    mutating func guestNonRegister() {
        activity()
        interruptibility()
        pendingDebug()
        linkPointer()
    }

    private mutating func activity() {
        let state = vmcs[.guestActivityState]
        let field = VMCSField.guestActivityState
        let exists = state <= 3 && capabilities.activityStates >> state & 1 != 0
        check(.activityState, field, exists)
        guard exists, state != 0 else { return }
        if state == 1 { check(.activityHaltPrivilege, field, vmcs[.guestSsAccessRights] >> 5 & 3 == 0) }
        let blocking = vmcs[.guestInterruptibility]
        check(.activityBlocking, field, blocking & (Blocking.sti | Blocking.movSS) == 0)
        let info = vmcs[.entryInterruptionInfo]
        guard info & 1 << 31 != 0 else { return }
        let vector = info & 0xFF
        let wakes =
            switch (state, Injection.Kind(rawValue: UInt8(info >> 8 & 7))) {
            case (1, .externalInterrupt), (1, .nmi), (2, .nmi), (1, .other): true
            case (1, .hardwareException): vector == 1 || vector == 18
            case (2, .hardwareException): vector == 18
            default: false
            }
        check(.activityInjection, field, wakes)
    }

    private mutating func interruptibility() {
        let state = vmcs[.guestInterruptibility]
        let field = VMCSField.guestInterruptibility
        let sti = state & Blocking.sti != 0
        let movSS = state & Blocking.movSS != 0
        check(.interruptibilityReserved, field, state >> 5 == 0)
        check(.blockingTwice, field, !(sti && movSS))
        check(.stiWithoutIF, field, !sti || vmcs[.guestRflags] & Bit.flagsIF != 0)
        if isInjecting(.externalInterrupt) { check(.interruptWhileBlocked, field, !sti && !movSS) }
        if isInjecting(.nmi) {
            // Only the former has a qualification of its own. SDM vol. 3, 27.8.
            check(.nmiWhileSTI, field, !sti)
            check(.nmiWhileMovSS, field, !movSS)
            if vmcs.has(PinControl.virtualNmis) {
                check(.virtualNMIWhileBlocked, field, state & Blocking.nmi == 0)
            }
        }
        check(.smiBlockingOutsideSMM, field, state & Blocking.smi == 0)
        // No model has SGX.
        check(.enclaveInterruption, field, state & Blocking.enclave == 0)
    }

    private mutating func pendingDebug() {
        let pending = vmcs[.guestPendingDebug]
        let field = VMCSField.guestPendingDebug
        // B0-B3, "enabled breakpoint" (12), BS (14) and RTM (16).
        check(.pendingDebugReserved, field, pending & ~0x1_500F == 0)
        let blocked = vmcs[.guestInterruptibility] & (Blocking.sti | Blocking.movSS) != 0
        guard blocked || vmcs[.guestActivityState] == 1 else { return }
        let steps = vmcs[.guestRflags] & Bit.flagsTF != 0 && vmcs[.guestIa32Debugctl] & Bit.debugctlBTF == 0
        check(.pendingDebugSingleStep, field, (pending & 1 << 14 != 0) == steps)
    }

    private mutating func linkPointer() {
        let pointer = vmcs[.vmcsLinkPointer]
        guard pointer != .max else { return }
        let isFit = isAddress(.vmcsLinkPointer)
        check(.linkPointerAddress, .vmcsLinkPointer, isFit)
        guard isFit else { return }
        let head = UInt32(truncatingIfNeeded: memory.load(pointer))
        let shadow: UInt32 = vmcs.has(Proc2Control.vmcsShadowing) ? 1 << 31 : 0
        check(.linkPointerRevision, .vmcsLinkPointer, head == capabilities.revision | shadow)
    }
}
