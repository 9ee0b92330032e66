// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The Multiple APIC Description Table: processors and the IOAPIC. ACPI 6.4, 5.2.12.
///
/// There are no source overrides: each ISA interrupt is on the pin of its number, edge-triggered and active high, and
/// the one exception of PCs, the 8254 on pin 2, isn't there.
enum MADT {
    static func bytes(for board: Board) -> [UInt8] {
        var body: [UInt8] = []
        body.append(integer: UInt32(Layout.localAPIC))
        body.append(integer: UInt32(board.hasPIC ? 1 : 0))
        for (index, id) in board.apicIDs.enumerated() { body += processor(UInt32(index), id) }
        body += ioapic
        // NMI at LINT1 of all processors, as on PCs.
        body += [4, 6, 0xFF, 0, 0, 1]
        if board.apicIDs.contains(where: { $0 >= 0xFF }) {
            body += [0xA, 12, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0]
        }
        return ACPITable.make("APIC", revision: 5, body)
    }

    private static let enabled: UInt32 = 1

    private static func processor(_ uid: UInt32, _ id: UInt32) -> [UInt8] {
        var entry: [UInt8]
        if id < 0xFF {
            entry = [0, 8, UInt8(truncatingIfNeeded: uid), UInt8(id)]
            entry.append(integer: enabled)
        } else {
            // A local x2APIC.
            entry = [9, 16, 0, 0]
            entry.append(integer: id)
            entry.append(integer: enabled)
            entry.append(integer: uid)
        }
        return entry
    }

    private static var ioapic: [UInt8] {
        var entry: [UInt8] = [1, 12, 0, 0]
        entry.append(integer: UInt32(Layout.ioapic))
        entry.append(integer: UInt32(0))  // its first GSI
        return entry
    }
}
