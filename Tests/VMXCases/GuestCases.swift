// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXSim

/// SDM vol. 3, 27.3.1, but for segments.
package enum GuestCases {
    package static let registers: [EntryCase] = [
        no(.long64, .guestCr0, 0x8005_0013, .guestCR0),
        no(.long64, .guestCr0, 0x1_8005_0033, .guestCR0),
        no(.long64, .guestCr0, 0xE005_0033),
        no(.long64, .guestCr0, 0x8005_0032, .guestPagingWithoutProtection),
        no(.long64, .guestCr0, 0x0005_0033, .guestLongModeWithoutPaging),
        no(.restricted32, .guestCr0, 0x31, .guestCR0),
        no(.restricted32, .guestCr0, 0x8000_0030, .guestCR0, .guestPagingWithoutProtection),
        no(.real, .guestCr0, 0x10, .guestCR0),
        no(.real, .guestCr0, 0x31),
        no(.long64, .guestCr4, 0x20, .guestCR4),
        no(.long64, .guestCr4, 0x40_2020, .guestCR4),
        no(.long64, .guestCr4, 0x2000, .guestLongModeWithoutPAE),
        no(.long64, .guestCr4, 0x2_2020),
        no(.restricted32, .guestCr4, 0x2_2000, .guestPCIDOutsideLongMode),
        no(.long64, .guestCr3, 1 << 40, .guestCR3),
        no(.long64, .guestCr3, 1 << 63, .guestCR3),
        no(.long64, .guestIa32Debugctl, 4, .guestDebugControl),
        no(.long64, .guestIa32Debugctl, 1 << 16, .guestDebugControl),
        no2(.long64, .entryControls, 0xD3FB, .guestIa32Debugctl, 4),
        no(.long64, .guestDr7, 0x1_0000_0400, .guestDR7),
        no2(.long64, .entryControls, 0xD3FB, .guestDr7, 0x1_0000_0400),
        no(.long64, .guestSysenterEsp, 1 << 47, .guestSysenter),
        no(.long64, .guestSysenterEip, 1 << 63, .guestSysenter),
        no2(.long64, .entryControls, 0xF3FF, .guestIa32PerfGlobalCtrl, 1 << 35, .guestPerfGlobalControl),
        no(.long64, .guestIa32Pat, 0x0300, .guestPAT),
        no(.long64, .guestIa32Pat, 0x0104_0105_0607_0007),
        no(.long64, .guestIa32Efer, 0xD05, .guestEFER),
        no(.long64, .guestIa32Efer, 0x901, .guestEFERMode, .guestEFEREnable),
        no(.long64, .guestIa32Efer, 0xC01, .guestEFEREnable),
        no(.real, .guestIa32Efer, 0x500, .guestEFERMode),
        no(.real, .guestIa32Efer, 0x100),
        no(.restricted32, .guestIa32Efer, 0x100, .guestEFEREnable),
        no(.long64, .guestGdtrBase, 1 << 47, .guestTableBase),
        no(.long64, .guestIdtrBase, 1 << 60, .guestTableBase),
        no(.long64, .guestGdtrLimit, 0x1_0000, .guestTableLimit),
        no(.long64, .guestIdtrLimit, 0xFFFF_FFFF, .guestTableLimit),
        no(.long64, .guestRip, 1 << 47),
        no(.long64, .guestRip, 1 << 48, .guestRIP),
        no(.long64, .guestRip, 0xFFFE_8000_0000_0000, .guestRIP),
        no(.long64, .guestRip, 0xFFFF_8000_0000_0000),
        no(.real, .guestRip, 1 << 32, .guestRIP),
        no2(.long64, .guestCsAccessRights, 0xC09B, .guestRip, 1 << 33, .guestRIP),
        no(.long64, .guestRflags, 0, .guestFlagsReserved),
        no(.long64, .guestRflags, 0xA, .guestFlagsReserved),
        no(.long64, .guestRflags, 0x8002, .guestFlagsReserved),
        no(.long64, .guestRflags, 1 << 22 | 2, .guestFlagsReserved),
        no(.long64, .guestRflags, 0x1_0002),
        no(.long64, .entryInterruptionInfo, 0x8000_0020, .guestFlagsInterrupt),
        no2(.long64, .entryInterruptionInfo, 0x8000_0020, .guestRflags, 0x202),
    ]

    package static let nonRegister: [EntryCase] = [
        no(.long64, .guestActivityState, 4, .activityState),
        no(.long64, .guestActivityState, 1),
        no(.long64, .guestActivityState, 3),
        EntryCase(
            base: .long64, changes: [(.guestActivityState, 1)], variant: .withoutHalt, expected: [.activityState]),
        no3(
            .restricted32, .guestActivityState, 1, .guestSsAccessRights, 0xC0F3, .guestCsAccessRights, 0xC0FB,
            .activityHaltPrivilege, .guestSegmentDPL),
        no3(
            .long64, .guestActivityState, 1, .guestInterruptibility, 1, .guestRflags, 0x202, .activityBlocking),
        no2(.long64, .guestActivityState, 1, .guestInterruptibility, 2, .activityBlocking),
        no2(.long64, .guestActivityState, 1, .entryInterruptionInfo, 0x8000_0306, .activityInjection),
        no2(.long64, .guestActivityState, 1, .entryInterruptionInfo, 0x8000_0301),
        no2(.long64, .guestActivityState, 1, .entryInterruptionInfo, 0x8000_0202),
        no2(.long64, .guestActivityState, 2, .entryInterruptionInfo, 0x8000_0301, .activityInjection),
        no2(.long64, .guestActivityState, 2, .entryInterruptionInfo, 0x8000_0312),
        no2(.long64, .guestActivityState, 3, .entryInterruptionInfo, 0x8000_0202, .activityInjection),
        no(.long64, .guestInterruptibility, 0x20, .interruptibilityReserved),
        no2(.long64, .guestInterruptibility, 3, .guestRflags, 0x202, .blockingTwice),
        no(.long64, .guestInterruptibility, 1, .stiWithoutIF),
        no2(.long64, .guestInterruptibility, 1, .guestRflags, 0x202),
        no(.long64, .guestInterruptibility, 2),
        no3(
            .long64, .guestInterruptibility, 1, .guestRflags, 0x202, .entryInterruptionInfo, 0x8000_0020,
            .interruptWhileBlocked),
        no3(
            .long64, .guestInterruptibility, 2, .guestRflags, 0x202, .entryInterruptionInfo, 0x8000_0020,
            .interruptWhileBlocked),
        no2(.long64, .guestInterruptibility, 2, .entryInterruptionInfo, 0x8000_0202, .nmiWhileMovSS),
        no3(
            .long64, .guestInterruptibility, 1, .guestRflags, 0x202, .entryInterruptionInfo, 0x8000_0202,
            .nmiWhileSTI),
        no2(.long64, .guestInterruptibility, 8, .entryInterruptionInfo, 0x8000_0202, .virtualNMIWhileBlocked),
        no(.long64, .guestInterruptibility, 8),
        no(.long64, .guestInterruptibility, 4, .smiBlockingOutsideSMM),
        no(.long64, .guestInterruptibility, 16, .enclaveInterruption),
        no(.long64, .guestPendingDebug, 0x10, .pendingDebugReserved),
        no(.long64, .guestPendingDebug, 1 << 17, .pendingDebugReserved),
        no(.long64, .guestPendingDebug, 1 << 32, .pendingDebugReserved),
        no(.long64, .guestPendingDebug, 0x100F),
        no2(.long64, .guestInterruptibility, 2, .guestRflags, 0x102, .pendingDebugSingleStep),
        no3(.long64, .guestInterruptibility, 2, .guestRflags, 0x102, .guestPendingDebug, 0x4000),
        no2(.long64, .guestInterruptibility, 2, .guestPendingDebug, 0x4000, .pendingDebugSingleStep),
        no2(.long64, .guestActivityState, 1, .guestPendingDebug, 0x4000, .pendingDebugSingleStep),
        no3(.long64, .guestInterruptibility, 2, .guestRflags, 0x102, .guestIa32Debugctl, 2),
        no(.long64, .vmcsLinkPointer, 0x1008, .linkPointerAddress),
        no(.long64, .vmcsLinkPointer, 1 << 40, .linkPointerAddress),
        no(.long64, .vmcsLinkPointer, 0x2000, .linkPointerRevision),
        EntryCase(
            base: .long64, changes: [(.vmcsLinkPointer, 0x2000)], memory: [0x2000: 0x2B], expected: []),
        EntryCase(
            base: .long64, changes: [(.vmcsLinkPointer, 0x2000), (.proc2Controls, 0x40A2)],
            memory: [0x2000: 0x2B], expected: [.linkPointerRevision]),
        EntryCase(
            base: .long64, changes: [(.vmcsLinkPointer, 0x2000), (.proc2Controls, 0x40A2)],
            memory: [0x2000: 0x8000_002B], expected: []),
        no(.pae32, .guestPdpte0, 1),
        no(.pae32, .guestPdpte0, 3, .guestPDPTE),
        no(.pae32, .guestPdpte1, 0x21, .guestPDPTE),
        no(.pae32, .guestPdpte2, 0x101, .guestPDPTE),
        no(.pae32, .guestPdpte3, 0x100_0000_0001, .guestPDPTE),
        no(.pae32, .guestPdpte3, 0x100_0000_01E6),
        no(.restricted32, .guestPdpte0, 3),
        no(.long64, .guestPdpte0, 3),
        EntryCase(
            base: .restricted32, changes: [(.proc2Controls, 0x20), (.guestCr4, 0x2020)], memory: [0x1008: 0x5],
            expected: [.guestPDPTE]),
        EntryCase(
            base: .restricted32, changes: [(.proc2Controls, 0x20), (.guestCr4, 0x2020)], memory: [0x1008: 0x5001],
            expected: []),
    ]

    /// IA32_BNDCFGS: bits 11:2 are reserved, the rest is a linear address.
    package static let bounds: [EntryCase] = [
        (3, []), (4, [.guestBNDCFGS]), (0x1003, []), (1 << 47, [.guestBNDCFGS]),
    ].map { (value: UInt64, expected: [EntryCheck]) in
        EntryCase(
            base: .long64, changes: [(.entryControls, 0x1_D3FF), (.guestIa32Bndcfgs, value)], variant: .bounds,
            expected: expected)
    }
}
