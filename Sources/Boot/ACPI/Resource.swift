// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a device uses, as a resource descriptor. ACPI 6.4, 6.4.
enum Resource {
    /// Ports, decoded with 16 bits.
    case ports(UInt16, count: UInt8)
    /// An ISA interrupt: edge-triggered, active high.
    case irq(UInt32)
    case memory(UInt32, size: UInt32)
    /// A pin of the IOAPIC, active high.
    case interrupt(UInt32, Board.Trigger)

    private var bytes: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .ports(let port, let count):
            bytes = [0x47, 1]
            bytes.append(integer: port)
            bytes.append(integer: port)
            bytes += [1, count]
        case .irq(let number):
            bytes = [0x22]
            bytes.append(integer: UInt16(1) << number)
        case .memory(let address, let size):
            bytes = [0x86, 9, 0, 1]  // 32 bits, fixed, to be read and written
            bytes.append(integer: address)
            bytes.append(integer: size)
        case .interrupt(let gsi, let trigger):
            // Bit 0: the device consumes it, as against a bridge that passes it on; bit 1: edge; bits 2 and 3: high, not shared.
            bytes = [0x89, 6, 0, 1 | (trigger == .edge ? 2 : 0), 1]
            bytes.append(integer: gsi)
        }
        return bytes
    }

    /// `Name (_CRS, ResourceTemplate () { ... })`
    static func current(_ resources: [Resource]) -> [UInt8] {
        // The end tag has a checksum; zero stands for none.
        AML.define("_CRS", AML.buffer(resources.flatMap(\.bytes) + [0x79, 0]))
    }
}
