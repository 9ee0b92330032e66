// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the VM-instruction error field tells after VMfailValid. SDM vol. 3, 31.4.
public enum VMInstructionError: UInt32, Sendable, CaseIterable {
    case vmcallInRoot = 1
    case vmclearInvalidAddress = 2
    case vmclearVMXONPointer = 3
    case vmlaunchNotClear = 4
    case vmresumeNotLaunched = 5
    case vmresumeAfterVMXOFF = 6
    case invalidControls = 7
    case invalidHostState = 8
    case vmptrldInvalidAddress = 9
    case vmptrldVMXONPointer = 10
    case vmptrldWrongRevision = 11
    case unsupportedField = 12
    case readOnlyField = 13
    case vmxonInRoot = 15
    case invalidExecutiveVMCS = 16
    case movSSBlocking = 26
    case invalidInvalidationOperand = 28
}

/// How a VMX instruction ended. SDM vol. 3, 31.2 "Conventions".
public enum VMXResult: Sendable, Equatable {
    case succeed
    /// CF = 1: there is no current VMCS to hold a number.
    case failInvalid
    /// ZF = 1, and the number in the current VMCS.
    case failValid(VMInstructionError)
    /// #UD: not in VMX operation, or CR4.VMXE is clear.
    case undefined
    /// #GP(0).
    case generalProtection

    /// CF or ZF, or a fault: what `setna` and an exception table make of it.
    public var isFailure: Bool { self != .succeed }
}
