// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// A VM exit's data: what the processor writes into the VM-exit information fields. SDM vol. 3, 25.9 and 28.2.
public struct VMExit: Sendable, Equatable {
    public var reason: VMXExitReason
    /// Bit 31 of the reason: VM entry failed.
    public var isEntryFailure = false
    public var qualification: UInt64 = 0
    public var instructionLength: UInt8 = 0
    public var instructionInfo: UInt32 = 0
    public var guestLinear: UInt64 = 0
    public var guestPhysical: UInt64 = 0
    /// An exception, an NMI, or an acknowledged external interrupt.
    public var event: Injection?
    /// IRET had unblocked NMIs when a fault of its own exited: bit 12 of the interruption information.
    public var unblockedNMI = false
    /// What was being delivered when this came between.
    public var vectoring: Injection?
    /// RCX, RSI, RDI, RIP at an I/O instruction: for SMM monitors.
    public var io: (rcx: UInt64, rsi: UInt64, rdi: UInt64, rip: UInt64) = (0, 0, 0, 0)

    public init(_ reason: VMXExitReason, qualification: UInt64 = 0, length: UInt8 = 0) {
        self.reason = reason
        self.qualification = qualification
        instructionLength = length
    }

    public static func == (a: VMExit, b: VMExit) -> Bool {
        a.reason == b.reason && a.isEntryFailure == b.isEntryFailure && a.qualification == b.qualification
            && a.instructionLength == b.instructionLength && a.instructionInfo == b.instructionInfo
            && a.guestLinear == b.guestLinear && a.guestPhysical == b.guestPhysical && a.event == b.event
            && a.unblockedNMI == b.unblockedNMI && a.vectoring == b.vectoring && a.io == b.io
    }

    /// Writes the information fields.
    func record(in vmcs: VMCS) {
        vmcs[.exitReason] = UInt64(reason.rawValue) | (isEntryFailure ? 1 << 31 : 0)
        vmcs[.exitQualification] = qualification
        // A failed entry leaves the others as they were. SDM vol. 3, 27.8.
        if isEntryFailure { return }
        vmcs[.guestLinearAddress] = guestLinear
        if reason == .eptViolation || reason == .eptMisconfiguration { vmcs[.guestPhysicalAddress] = guestPhysical }
        vmcs[.exitInterruptionInfo] = (event?.info ?? 0) | (unblockedNMI && event != nil ? 1 << 12 : 0)
        if let code = event?.errorCode { vmcs[.exitInterruptionErrorCode] = UInt64(code) }
        vmcs[.idtVectoringInfo] = vectoring?.info ?? 0
        if let code = vectoring?.errorCode { vmcs[.idtVectoringErrorCode] = UInt64(code) }
        vmcs[.exitInstructionLength] = UInt64(
            vectoring.map { $0.isSoftware ? $0.length : instructionLength } ?? instructionLength)
        vmcs[.exitInstructionInfo] = UInt64(instructionInfo)
        vmcs[.ioRcx] = io.rcx
        vmcs[.ioRsi] = io.rsi
        vmcs[.ioRdi] = io.rdi
        vmcs[.ioRip] = io.rip
    }
}
