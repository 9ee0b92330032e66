// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXSim

/// SDM vol. 3, 27.2.1.
package enum ControlCases {
    // The base's controls, for those that change a bit.
    private static let proc: UInt64 = 0x9500_61F2
    private static let proc2: UInt64 = 0xA2
    private static let exit: UInt64 = 0x3F_6FFF
    private static let entry: UInt64 = 0xD3FF
    private static let shadow: UInt64 = proc | 1 << 21

    package static let execution: [EntryCase] = [
        no(.long64, .pinControls, 0x2F, .pinControls),
        no(
            .long64, .pinControls, 0xBF, .pinControls, .postedInterruptsWithoutDelivery,
            .postedInterruptsWithoutAcknowledgement),
        no(.long64, .pinControls, 0x13F, .pinControls),
        no(.long64, .pinControls, 0x7F),
        no(.long64, .procControls, 0x9100_61F2, .procControls),
        no(.long64, .procControls, proc | 1 << 17, .procControls),
        no(.long64, .procControls, proc | 1, .procControls),
        no(.long64, .procControls, proc & ~2, .procControls),
        no(.long64, .procControls, proc | 1 << 27, .procControls),
        EntryCase(
            base: .long64, changes: [(.procControls, proc | 1 << 27)], variant: .trapFlag, expected: []),
        no(.long64, .proc2Controls, proc2 | 1 << 15, .proc2Controls),
        no(.long64, .proc2Controls, proc2 | 1 << 22, .proc2Controls),
        no(.long64, .proc2Controls, proc2 | 1 << 31, .proc2Controls),
        no(.long64, .proc2Controls, proc2 | 1 << 25, .tscMultiplierZero),
        no2(.long64, .proc2Controls, proc2 | 1 << 25, .tscMultiplier, 1 << 48),
        no(.long64, .cr3TargetCount, 5, .cr3TargetCount),
        no(.long64, .cr3TargetCount, 4),
        no2(.long64, .procControls, proc | 1 << 25, .ioBitmapA, 0x1001, .ioBitmapAddress),
        no2(.long64, .procControls, proc | 1 << 25, .ioBitmapB, 1 << 40, .ioBitmapAddress),
        no2(.long64, .procControls, proc | 1 << 25, .ioBitmapB, 0x2000),
        no(.long64, .ioBitmapA, 0x1001),
        no(.long64, .msrBitmap, 0x800, .msrBitmapAddress),
        no(.long64, .msrBitmap, 1 << 40, .msrBitmapAddress),
        no2(.long64, .procControls, proc & ~(1 << 28), .msrBitmap, 0x800),
        no2(.long64, .procControls, shadow, .virtualApicAddr, 0x3010, .virtualAPICAddress),
        no2(.long64, .procControls, shadow, .virtualApicAddr, 1 << 45, .virtualAPICAddress),
        no2(.long64, .procControls, shadow, .tprThreshold, 0x10, .tprThresholdReserved),
        no2(.long64, .procControls, shadow, .tprThreshold, 3, .tprThresholdAboveVTPR),
        EntryCase(
            base: .long64, changes: [(.procControls, shadow), (.tprThreshold, 3), (.virtualApicAddr, 0x3000)],
            memory: [0x3080: 0x30], expected: []),
        no(.long64, .proc2Controls, proc2 | 1 << 4, .apicVirtualizationWithoutTPRShadow),
        no(.long64, .proc2Controls, proc2 | 1 << 8, .apicVirtualizationWithoutTPRShadow),
        no(.long64, .proc2Controls, proc2 | 1 << 9, .apicVirtualizationWithoutTPRShadow),
        no(.long64, .pinControls, 0x37, .virtualNMIsWithoutNMIExiting),
        no2(.long64, .pinControls, 0x1F, .procControls, proc | 1 << 22, .nmiWindowWithoutVirtualNMIs),
        no(.long64, .procControls, proc | 1 << 22),
        no2(.long64, .proc2Controls, proc2 | 1, .apicAccessAddr, 0x1234, .apicAccessAddress),
        no2(.long64, .proc2Controls, proc2 | 1, .apicAccessAddr, 0xFEE0_0000),
        no2(.long64, .procControls, shadow, .proc2Controls, proc2 | 0x11, .x2APICWithAPICAccesses),
        no3(
            .long64, .pinControls, 0x3E, .procControls, shadow, .proc2Controls, proc2 | 1 << 9,
            .virtualInterruptDeliveryWithoutInterruptExiting),
        posted([]),
        posted([(.proc2Controls, proc2)], .postedInterruptsWithoutDelivery),
        posted([(.exitControls, exit)], .postedInterruptsWithoutAcknowledgement),
        posted([(.postedInterruptVector, 0x1F2)], .postedInterruptVector),
        posted([(.postedInterruptDescAddr, 0x5020)], .postedInterruptDescriptor),
        posted([(.postedInterruptDescAddr, 1 << 40)], .postedInterruptDescriptor),
        posted([(.pinControls, 0x3F), (.postedInterruptVector, 0x1F2), (.postedInterruptDescAddr, 0x5020)]),
        no(.long64, .vpid, 0, .vpidZero),
        no2(.long64, .vpid, 0, .proc2Controls, 0x82),
        no(.long64, .eptPointer, 0x10_001C, .eptpMemoryType),
        no(.long64, .eptPointer, 0x10_0019, .eptpMemoryType),
        no(.long64, .eptPointer, 0x10_0018),
        no(.long64, .eptPointer, 0x10_0016, .eptpWalkLength),
        no(.long64, .eptPointer, 0x10_0026, .eptpWalkLength),
        no(.long64, .eptPointer, 0x10_009E, .eptpReserved),
        no(.long64, .eptPointer, 0x10_081E, .eptpReserved),
        no(.long64, .eptPointer, 0x100_0000_001E, .eptpReserved),
        no(.long64, .eptPointer, 0x10_005E),
        EntryCase(
            base: .long64, changes: [(.eptPointer, 0x10_005E)], variant: .without(.accessedDirty),
            expected: [.eptpAccessedDirty]),
        no(.long64, .proc2Controls, 0xA0, .unrestrictedGuestWithoutEPT),
        no(.restricted32, .proc2Controls, 0x2_0020, .pmlWithoutEPT),
        no2(.long64, .proc2Controls, proc2 | 1 << 17, .pmlAddress, 0x10, .pmlAddress),
        no2(.long64, .proc2Controls, proc2 | 1 << 17, .pmlAddress, 0x5000),
        EntryCase(
            base: .long64, changes: [(.proc2Controls, proc2 | 1 << 17)], variant: .withoutPML,
            expected: [.proc2Controls]),
        no2(.long64, .proc2Controls, proc2 | 1 << 13, .vmFunctionControl, 2, .vmFunctions),
        no3(
            .long64, .proc2Controls, proc2 | 1 << 13, .vmFunctionControl, 1, .eptpListAddr, 0x123, .eptpListAddress),
        no2(.restricted32, .proc2Controls, 0x2020, .vmFunctionControl, 1, .eptpSwitchingWithoutEPT),
        no2(.long64, .proc2Controls, proc2 | 1 << 14, .vmreadBitmap, 0x8, .shadowingBitmapAddress),
        no2(.long64, .proc2Controls, proc2 | 1 << 14, .vmwriteBitmap, 1 << 41, .shadowingBitmapAddress),
        no2(.long64, .proc2Controls, proc2 | 1 << 18, .veInformationAddr, 0x18, .veInformationAddress),
    ]

    /// All that posted interrupts want, and then the changes.
    private static func posted(_ changes: [(VMCSField, UInt64)], _ expected: EntryCheck...) -> EntryCase {
        let all: [(VMCSField, UInt64)] = [
            (.pinControls, 0xBF), (.procControls, shadow), (.proc2Controls, proc2 | 1 << 9), (.exitControls, exit | 1 << 15),
            (.postedInterruptVector, 0xF2), (.postedInterruptDescAddr, 0x5040),
        ]
        return EntryCase(base: .long64, changes: all + changes, variant: .postedInterrupts, expected: expected)
    }

    package static let exitAndEntry: [EntryCase] = [
        no(.long64, .exitControls, exit & ~1, .exitControls),
        no(.long64, .exitControls, exit | 1 << 23, .exitControls),
        no(.long64, .exitControls, exit | 1 << 22, .savedTimerWithoutTimer),
        no2(.long64, .pinControls, 0x7F, .exitControls, exit | 1 << 22),
        no2(.long64, .exitMsrStoreCount, 1, .exitMsrStoreAddr, 8, .exitMSRStoreArea),
        no2(.long64, .exitMsrStoreCount, 2, .exitMsrStoreAddr, 0xFF_FFFF_FFF0, .exitMSRStoreArea),
        no2(.long64, .exitMsrStoreCount, 1, .exitMsrStoreAddr, 0xFF_FFFF_FFF0),
        no2(.long64, .exitMsrLoadCount, 1, .exitMsrLoadAddr, 0x1004, .exitMSRLoadArea),
        no2(.long64, .exitMsrLoadCount, 1, .exitMsrLoadAddr, 1 << 40, .exitMSRLoadArea),
        no(.long64, .entryControls, entry & ~1, .entryControls),
        no(.long64, .entryControls, entry | 1 << 16, .entryControls),
        no(.long64, .entryControls, entry | 1 << 10, .smmOutsideSMM),
        no(.long64, .entryControls, entry | 1 << 11, .smmOutsideSMM),
        no2(.long64, .entryMsrLoadCount, 1, .entryMsrLoadAddr, 3, .entryMSRLoadArea),
        no2(.long64, .entryMsrLoadCount, 2, .entryMsrLoadAddr, 0xFF_FFFF_FFF0, .entryMSRLoadArea),
        no(.long64, .entryInterruptionInfo, 0x8000_0100, .injectionType),
        no(.long64, .entryInterruptionInfo, 0x8000_0700, .injectionType),
        EntryCase(
            base: .long64, changes: [(.entryInterruptionInfo, 0x8000_0700)], variant: .trapFlag, expected: []),
        EntryCase(
            base: .long64, changes: [(.entryInterruptionInfo, 0x8000_0701)], variant: .trapFlag,
            expected: [.injectionVector]),
        no(.long64, .entryInterruptionInfo, 0x8000_0203, .injectionVector),
        no(.long64, .entryInterruptionInfo, 0x8000_0202),
        no(.long64, .entryInterruptionInfo, 0x8000_0320, .injectionVector),
        no(.long64, .entryInterruptionInfo, 0x8000_0306),
        no(.long64, .entryInterruptionInfo, 0x8000_030D, .injectionErrorCodeFlag),
        no(.long64, .entryInterruptionInfo, 0x8000_0308, .injectionErrorCodeFlag),
        no(.long64, .entryInterruptionInfo, 0x8000_0311, .injectionErrorCodeFlag),
        no(.long64, .entryInterruptionInfo, 0x8000_0B06, .injectionErrorCodeFlag),
        no(.long64, .entryInterruptionInfo, 0x8000_0B0E),
        no(.real, .entryInterruptionInfo, 0x8000_0B0D, .injectionErrorCodeFlag),
        no(.real, .entryInterruptionInfo, 0x8000_030D),
        no(.restricted32, .entryInterruptionInfo, 0x8000_030D, .injectionErrorCodeFlag),
        no(.long64, .entryInterruptionInfo, 0x8000_1306, .injectionReserved),
        no(.long64, .entryInterruptionInfo, 0xC000_0306, .injectionReserved),
        no2(
            .long64, .entryInterruptionInfo, 0x8000_0B0E, .entryExceptionErrorCode, 0x1_0000, .injectionErrorCode),
        no2(.long64, .entryInterruptionInfo, 0x8000_0B0E, .entryExceptionErrorCode, 0xFFFF),
        no2(.long64, .entryInterruptionInfo, 0x8000_0480, .entryInstructionLength, 16, .injectionLength),
        no2(.long64, .entryInterruptionInfo, 0x8000_0480, .entryInstructionLength, 0, .injectionLength),
        no2(.long64, .entryInterruptionInfo, 0x8000_0603, .entryInstructionLength, 0, .injectionLength),
        no2(.long64, .entryInterruptionInfo, 0x8000_0501, .entryInstructionLength, 0, .injectionLength),
        no2(.long64, .entryInterruptionInfo, 0x8000_0480, .entryInstructionLength, 15),
        no(.long64, .entryInterruptionInfo, 0x0000_0100),
    ]
}
