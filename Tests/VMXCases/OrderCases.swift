// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXSim

/// SDM vol. 3, 27.1: controls and host state come before the guest's state, and that before its MSRs. Which of controls
/// and host state comes first is the processor's to choose; so it is within the guest's state.
package enum OrderCases {
    package static let all: [EntryCase] = [
        no2(.long64, .pinControls, 0x2F, .guestRflags, 0, .pinControls),
        no2(.long64, .vpid, 0, .guestCr0, 0x8005_0013, .vpidZero),
        no2(.long64, .hostCr3, 1 << 40, .guestRflags, 0, .hostCR3),
        no2(.long64, .hostRip, 1 << 47, .vmcsLinkPointer, 0x1008, .hostRIP),
        no2(.long64, .entryInterruptionInfo, 0x8000_0203, .guestActivityState, 4, .injectionVector),
        EntryCase(
            base: .long64,
            changes: [(.guestRflags, 0), (.entryMsrLoadCount, 1), (.entryMsrLoadAddr, 0x6000)],
            memory: [0x6000: 0xC000_0100], expected: [.guestFlagsReserved]),
    ]
}
