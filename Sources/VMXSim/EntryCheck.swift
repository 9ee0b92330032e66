// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Each thing that can be wrong with a VMCS at VM entry, in the SDM's order. SDM vol. 3, 27.2 to 27.4.
public enum EntryCheck: Sendable, Equatable, CaseIterable {
    // 27.2.1.1 VM-execution controls
    case pinControls, procControls, proc2Controls, cr3TargetCount
    case ioBitmapAddress, msrBitmapAddress
    case virtualAPICAddress, tprThresholdReserved, tprThresholdAboveVTPR, apicVirtualizationWithoutTPRShadow
    case virtualNMIsWithoutNMIExiting, nmiWindowWithoutVirtualNMIs
    case apicAccessAddress, x2APICWithAPICAccesses, virtualInterruptDeliveryWithoutInterruptExiting
    case postedInterruptsWithoutDelivery, postedInterruptsWithoutAcknowledgement
    case postedInterruptVector, postedInterruptDescriptor
    case vpidZero
    case eptpMemoryType, eptpWalkLength, eptpAccessedDirty, eptpReserved
    case unrestrictedGuestWithoutEPT, pmlWithoutEPT, pmlAddress
    case vmFunctions, eptpSwitchingWithoutEPT, eptpListAddress
    case shadowingBitmapAddress, veInformationAddress, tscMultiplierZero
    // 27.2.1.2 VM-exit controls
    case exitControls, savedTimerWithoutTimer
    case exitMSRStoreArea, exitMSRLoadArea
    // 27.2.1.3 VM-entry controls
    case entryControls, smmOutsideSMM
    case injectionType, injectionVector, injectionErrorCodeFlag, injectionReserved, injectionErrorCode, injectionLength
    case entryMSRLoadArea
    // 27.2.2 Host control registers and MSRs
    case hostCR0, hostCR4, hostCR3, hostSysenter, hostPerfGlobalControl, hostPAT, hostEFER, hostEFERMode
    // 27.2.3 Host segment and descriptor-table registers
    case hostSelector, hostNullSelector, hostBase
    // 27.2.4 Address-space size
    case hostNot64Bit, hostPAE, hostRIP
    // 27.3.1.1 Guest control registers, debug registers and MSRs
    case guestCR0, guestPagingWithoutProtection, guestCR4, guestDebugControl
    case guestLongModeWithoutPaging, guestLongModeWithoutPAE, guestPCIDOutsideLongMode, guestCR3, guestDR7
    case guestSysenter, guestPerfGlobalControl, guestPAT, guestEFER, guestEFERMode, guestEFEREnable, guestBNDCFGS
    // 27.3.1.2 Guest segment registers
    case guestTableIndicator, guestSSPrivilege
    case guestVirtual8086Base, guestBaseCanonical, guestBaseHigh
    case guestVirtual8086Limit, guestVirtual8086Access
    case guestSegmentType, guestSegmentSystem, guestSegmentDPL, guestSegmentPresent, guestSegmentReserved
    case guestCodeSize, guestGranularity, guestTRUnusable
    // 27.3.1.3 Guest descriptor-table registers
    case guestTableBase, guestTableLimit
    // 27.3.1.4 Guest RIP and RFLAGS
    case guestRIP, guestFlagsReserved, guestFlagsVirtual8086, guestFlagsInterrupt
    // 27.3.1.5 Guest non-register state
    case activityState, activityHaltPrivilege, activityBlocking, activityInjection
    case interruptibilityReserved, blockingTwice, stiWithoutIF, interruptWhileBlocked, nmiWhileSTI, nmiWhileMovSS
    case smiBlockingOutsideSMM, virtualNMIWhileBlocked, enclaveInterruption
    case pendingDebugReserved, pendingDebugSingleStep
    case linkPointerAddress, linkPointerRevision
    // 27.3.1.6 Guest page-directory-pointer-table entries
    case guestPDPTE
    // 27.4 Loading MSRs
    case entryMSRLoading

    /// What the processor does of a failed check. SDM vol. 3, 27.2, 27.8.
    public enum Consequence: Sendable, Equatable {
        /// VMfailValid(7) or (8): the instruction itself fails.
        case instruction(VMInstructionError)
        /// A VM exit with bit 31 of the reason set: 33, or 34 for MSRs.
        case exit(qualification: UInt64)
    }

    public var consequence: Consequence {
        let order = Self.order[self] ?? 0
        if order < Self.firstHost { return .instruction(.invalidControls) }
        if order < Self.firstGuest { return .instruction(.invalidHostState) }
        return switch self {
        case .guestPDPTE: .exit(qualification: 2)
        case .nmiWhileSTI: .exit(qualification: 3)
        case .linkPointerAddress, .linkPointerRevision: .exit(qualification: 4)
        default: .exit(qualification: 0)
        }
    }

    /// The section of SDM vol. 3 that has the check.
    public var section: String {
        let order = Self.order[self] ?? 0
        return Self.sections.last { order >= Self.order[$0.first] ?? 0 }?.name ?? "27.2"
    }

    private static let order = Dictionary(uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
    private static let firstHost = order[.hostCR0] ?? 0
    private static let firstGuest = order[.guestCR0] ?? 0
    private static let sections: [(first: EntryCheck, name: String)] = [
        (.pinControls, "27.2.1.1"), (.exitControls, "27.2.1.2"), (.entryControls, "27.2.1.3"), (.hostCR0, "27.2.2"),
        (.hostSelector, "27.2.3"), (.hostNot64Bit, "27.2.4"), (.guestCR0, "27.3.1.1"),
        (.guestTableIndicator, "27.3.1.2"), (.guestTableBase, "27.3.1.3"), (.guestRIP, "27.3.1.4"),
        (.activityState, "27.3.1.5"), (.guestPDPTE, "27.3.1.6"), (.entryMSRLoading, "27.4"),
    ]
}
