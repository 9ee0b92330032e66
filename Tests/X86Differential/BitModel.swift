// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Plain bit-by-bit definitions (SDM vol. 2, PDEP, PEXT, CRC32), apart from the interpreter's.
enum BitModel {
    static func deposit(_ value: UInt64, under mask: UInt64) -> UInt64 {
        var (result, next) = (UInt64(0), 0)
        for bit in 0..<64 where mask >> UInt64(bit) & 1 != 0 {
            result |= (value >> UInt64(next) & 1) << UInt64(bit)
            next += 1
        }
        return result
    }

    static func extract(_ value: UInt64, under mask: UInt64) -> UInt64 {
        var (result, next) = (UInt64(0), 0)
        for bit in 0..<64 where mask >> UInt64(bit) & 1 != 0 {
            result |= (value >> UInt64(bit) & 1) << UInt64(next)
            next += 1
        }
        return result
    }

    static func crc32(_ start: UInt32, _ data: UInt64, _ size: Int) -> UInt64 {
        var crc = start
        for bit in 0..<(8 * size) {
            let feedback = crc & 1 ^ UInt32(data >> UInt64(bit) & 1)
            crc = crc >> 1 ^ (feedback != 0 ? 0x82F6_3B78 : 0)
        }
        return UInt64(crc)
    }
}
