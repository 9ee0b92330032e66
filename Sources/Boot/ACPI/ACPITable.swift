// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The header and checksum that all tables share. ACPI 6.4, 5.2.6 "System Description Table Header".
enum ACPITable {
    static let headerSize = 36
    static let oem = Array("LIKEX ".utf8)

    static func make(_ signature: String, revision: UInt8, _ body: [UInt8]) -> [UInt8] {
        var table = Array(signature.utf8)
        table.append(integer: UInt32(headerSize + body.count))
        table.append(revision)
        table.append(0)  // checksum, below
        table += oem
        table += Array("LIKEXVM ".utf8)
        table.append(integer: UInt32(1))  // OEM revision
        table += Array("LKX ".utf8)  // who made it
        table.append(integer: UInt32(1))
        table += body
        table[9] = checksum(table)
        return table
    }

    /// The byte that makes the sum of all bytes zero.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt8 { 0 &- bytes.reduce(0, &+) }
}
