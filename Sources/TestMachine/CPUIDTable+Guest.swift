// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
public import KVM

extension CPUIDTable {
    /// The table that a guest gets on every one of several devices: what all of them can offer.
    ///
    /// Feature bits are those that every device has; the rest of a leaf is the first device's. Leaves that describe
    /// this host's CPU topology, performance counters or a hypervisor's own interface are left out, and the
    /// APIC id is 0, so that the table is the same wherever it was asked for.
    public static func common(_ tables: [CPUIDTable]) -> CPUIDTable {
        guard let first = tables.first else { return CPUIDTable(entries: []) }
        var entries: [Entry] = []
        for entry in first.entries where !isLeftOut(entry.function) {
            let twins = tables.compactMap { $0[entry.function, entry.index] }
            guard twins.count == tables.count else { continue }
            entries.append(merge(entry, twins))
        }
        return CPUIDTable(entries: entries)
    }

    private static func isLeftOut(_ function: UInt32) -> Bool {
        switch function {
        case 0x4, 0xa, 0xb, 0x12, 0x14, 0x18...0x24: true
        case 0x4000_0000..<0x5000_0000, 0x8000_001d...0x8000_0020, 0x8000_0026: true
        default: false
        }
    }

    private static func merge(_ entry: Entry, _ twins: [Entry]) -> Entry {
        var merged = entry
        for path in featureRegisters(entry.function, entry.index) {
            merged[keyPath: path] = twins.reduce(entry[keyPath: path]) { $0 & $1[keyPath: path] }
        }
        switch entry.function {
        case 0, 0x8000_0000:
            merged.eax = twins.map(\.eax).min() ?? entry.eax
        case 1:
            // No APIC id, one logical processor; OSXSAVE follows CR4.
            merged.ebx = (entry.ebx & 0xff00) | 1 << 16
            merged.ecx &= ~(1 << 27)
        default: break
        }
        return merged
    }

    /// The registers of a leaf in which each bit is a feature of its own.
    private static func featureRegisters(_ function: UInt32, _ index: UInt32) -> [WritableKeyPath<Entry, UInt32>] {
        switch (function, index) {
        case (1, _), (0x8000_0001, _): [\.ecx, \.edx]
        case (6, _): [\.eax, \.ecx]
        case (7, 0): [\.ebx, \.ecx, \.edx]
        case (7, _): [\.eax, \.ebx, \.ecx, \.edx]
        case (0xd, 0): [\.eax, \.edx]
        case (0xd, 1): [\.eax, \.ecx, \.edx]
        case (0x8000_0007, _): [\.edx]
        case (0x8000_0008, _): [\.ebx]
        case (0x8000_000a, _): [\.edx]
        case (0x8000_0021, _): [\.eax]
        default: []
        }
    }
}
