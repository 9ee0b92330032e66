// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// What waits for a guest between two instructions.
public struct BoundaryEvents: Sendable, Equatable {
    /// The vector that the host's interrupt controller has.
    public var externalInterrupt: UInt8?
    public var nmi = false
    public var timerExpired = false
    public var belowThreshold = false
    /// `VirtualAPIC.isPending`
    public var virtualInterrupt = false

    public init(
        externalInterrupt: UInt8? = nil, nmi: Bool = false, timerExpired: Bool = false, belowThreshold: Bool = false,
        virtualInterrupt: Bool = false
    ) {
        self.externalInterrupt = externalInterrupt
        self.nmi = nmi
        self.timerExpired = timerExpired
        self.belowThreshold = belowThreshold
        self.virtualInterrupt = virtualInterrupt
    }
}

/// What comes before the next instruction.
public enum BoundaryAction: Sendable, Equatable {
    case exit(VMXExitReason)
    /// An external interrupt that was acknowledged: its vector is in the interruption information.
    case exitAcknowledged(UInt8)
    /// `VirtualAPIC.deliver`
    case virtualInterrupt
    /// `VirtualAPIC.takePosted`, and no VM exit.
    case postedInterrupts
}

extension VMCS {
    /// What, if anything, comes before the next instruction, in the order of their priorities.
    /// SDM vol. 3, 26.2, 30.2.2 and 7.9 "Priority among concurrent events".
    /// - Parameters:
    ///   - interruptFlag: RFLAGS.IF.
    ///   - interruptibility: as the VMCS's field of that name.
    public func boundaryAction(
        _ waiting: BoundaryEvents, interruptFlag: Bool, interruptibility: UInt64
    ) -> BoundaryAction? {
        let shadow = interruptibility & 3 != 0
        if waiting.belowThreshold { return .exit(.tprBelowThreshold) }
        if waiting.timerExpired, has(PinControl.preemptionTimer) { return .exit(.preemptionTimer) }
        // With virtual NMIs bit 3 is about virtual ones; a real one always exits.
        if has(ProcControl.nmiWindowExiting), interruptibility & 8 == 0, !shadow { return .exit(.nmiWindow) }
        if waiting.nmi, has(PinControl.nmiExiting), interruptibility & 2 == 0 { return .exit(.exceptionNmi) }
        if has(ProcControl.interruptWindowExiting), interruptFlag, !shadow { return .exit(.interruptWindow) }
        // Of the same priority; never both. SDM vol. 3, 30.2.1.
        if waiting.virtualInterrupt, interruptFlag, !shadow { return .virtualInterrupt }
        // "External-interrupt exiting": whatever IF says. A MOV SS shadow may hold it off; STI's doesn't.
        guard let vector = waiting.externalInterrupt, has(PinControl.externalInterruptExiting) else { return nil }
        if isNotification(vector) { return .postedInterrupts }
        return has(ExitControl.acknowledgeInterrupt) ? .exitAcknowledged(vector) : .exit(.externalInterrupt)
    }
}
