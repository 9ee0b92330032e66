// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// What waits for a guest between two instructions.
public struct BoundaryEvents: Sendable, Equatable {
    public var externalInterrupt = false
    public var nmi = false
    public var timerExpired = false
    public var belowThreshold = false

    public init(
        externalInterrupt: Bool = false, nmi: Bool = false, timerExpired: Bool = false, belowThreshold: Bool = false
    ) {
        self.externalInterrupt = externalInterrupt
        self.nmi = nmi
        self.timerExpired = timerExpired
        self.belowThreshold = belowThreshold
    }
}

extension VMCS {
    /// The VM exit, if any, that comes before the next instruction, in the order of their priorities.
    /// SDM vol. 3, 26.2 and 7.9 "Priority among concurrent events".
    /// - Parameters:
    ///   - interruptFlag: RFLAGS.IF.
    ///   - interruptibility: as the VMCS's field of that name.
    public func boundaryExit(
        _ waiting: BoundaryEvents, interruptFlag: Bool, interruptibility: UInt64
    ) -> VMXExitReason? {
        let shadow = interruptibility & 3 != 0
        if waiting.belowThreshold { return .tprBelowThreshold }
        if waiting.timerExpired, has(PinControl.preemptionTimer) { return .preemptionTimer }
        // With virtual NMIs bit 3 is about virtual ones; a real one always exits.
        if has(ProcControl.nmiWindowExiting), interruptibility & 8 == 0, !shadow { return .nmiWindow }
        if waiting.nmi, has(PinControl.nmiExiting), interruptibility & 2 == 0 { return .exceptionNmi }
        if has(ProcControl.interruptWindowExiting), interruptFlag, !shadow { return .interruptWindow }
        // "External-interrupt exiting": whatever IF says. A MOV SS shadow may hold it off; STI's doesn't.
        if waiting.externalInterrupt, has(PinControl.externalInterruptExiting) { return .externalInterrupt }
        return nil
    }
}
