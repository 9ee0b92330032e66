// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// How often each instruction was met that the interpreter hasn't got.
public struct UnsupportedCounter: Sendable {
    private var counts: [UInt32: Int] = [:]

    /// Counts one; the ModRM.reg field tells the members of a group apart.
    mutating func count(opcode: UInt16, group: UInt8) { counts[UInt32(opcode) << 8 | UInt32(group), default: 0] += 1 }

    public var isEmpty: Bool { counts.isEmpty }

    /// Opcodes in the SDM's notation, such as `0F 0B /2` or `VEX.0F38 F7 /1`, with their counts, the most frequent first.
    public var byName: [(name: String, count: Int)] {
        counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { (Self.name($0.key), $0.value) }
    }

    private static func name(_ key: UInt32) -> String {
        let maps = ["", "0F ", "0F 38 ", "0F 3A ", "VEX.0F ", "VEX.0F38 ", "VEX.0F3A "]
        let opcode = UInt16(truncatingIfNeeded: key >> 8)
        let byte = String(opcode & 0xFF, radix: 16, uppercase: true)
        return maps[Int(opcode >> 8)] + (byte.count == 1 ? "0" : "") + byte + " /\(key & 7)"
    }
}
