// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXSim

/// SDM vol. 3, 27.4: MSRs that VM entry loads from an area in memory.
package enum MSRCases {
    private static let area: UInt64 = 0x6000
    private static let sysenterCS: UInt64 = 0x174

    /// An area of index and value pairs; `wrong` is the number of the one that can't be loaded.
    private static func load(_ msrs: [(UInt64, UInt64)], wrong: UInt64 = 0) -> EntryCase {
        var memory: [UInt64: UInt64] = [:]
        for (number, msr) in msrs.enumerated() {
            memory[area + UInt64(number) * 16] = msr.0
            memory[area + UInt64(number) * 16 + 8] = msr.1
        }
        return EntryCase(
            base: .long64, changes: [(.entryMsrLoadCount, UInt64(msrs.count)), (.entryMsrLoadAddr, area)],
            memory: memory, expected: wrong == 0 ? [] : [.entryMSRLoading], wrongMSR: wrong)
    }

    package static let entry: [EntryCase] = [
        load([(sysenterCS, 0x10)]),
        load([(sysenterCS, 0x10), (sysenterCS, 0x20)]),
        // FS.base and GS.base have fields of their own.
        load([(0xC000_0100, 0)], wrong: 1),
        load([(0xC000_0101, 0)], wrong: 1),
        // IA32_SMM_MONITOR_CTL, and the local APIC's.
        load([(0x9B, 0)], wrong: 1),
        load([(0x800, 0)], wrong: 1),
        load([(0x8FF, 0)], wrong: 1),
        // Bits 63:32 of the index.
        load([(1 << 32 | sysenterCS, 0)], wrong: 1),
        load([(sysenterCS, 0x10), (1 << 63 | sysenterCS, 0), (0xC000_0100, 0)], wrong: 2),
        load([(sysenterCS, 0x10), (sysenterCS, 0x10), (0x802, 0)], wrong: 3),
    ]
}
