// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// The offset of a memory operand.
    @inline(__always)
    func offset(_ i: Instruction) -> UInt64 {
        let scaled = registers[i.index] &<< UInt64(i.scale)
        let sum = registers[i.base] &+ scaled &+ UInt64(bitPattern: Int64(i.displacement))
        return sum & i.addressMask
    }

    /// The linear address of `size` bytes at an offset, with all checks of segmentation.
    @inline(__always)
    mutating func linear(_ segment: UInt8, _ offset: UInt64, _ size: UInt8, write: Bool) throws(Trap) -> UInt64 {
        if bypassesSegmentation {
            let linear = segment >= 4 ? segments[Int(segment)].base &+ offset : offset
            // Canonical from the first byte to the last.
            if linear &+ 0x8000_0000_0000 &+ UInt64(size &- 1) >= 1 << 48 {
                throw segment == 2 ? .stack : .general
            }
            return linear
        }
        return try legacyLinear(segment, offset, size, write: write)
    }

    @inline(__always)
    private mutating func legacyLinear(_ segment: UInt8, _ offset: UInt64, _ size: UInt8, write: Bool) throws(Trap) -> UInt64 {
        let last = offset &+ UInt64(size &- 1)
        let access = segments[Int(segment)].access
        // Writable expand-up data, the common case, is also readable.
        if access & 0x1001E == 0x12, last <= UInt64(segments[Int(segment)].limit) {
            return (segments[Int(segment)].base &+ offset) & 0xFFFF_FFFF
        }
        return try unusualLinear(segment, offset, last, write: write)
    }

    @inline(never)
    private mutating func unusualLinear(
        _ number: UInt8, _ offset: UInt64, _ last: UInt64, write: Bool
    ) throws(Trap) -> UInt64 {
        let segment = segments[Int(number)]
        let fault: Trap = number == 2 ? .stack : .general
        if !hasRealSegments {
            if segment.isUnusable || !(write ? segment.isWritable : segment.isReadable) { throw fault }
        }
        let limit = UInt64(segment.limit)
        if segment.isExpandDown {
            if offset <= limit || last > segment.upperBound { throw fault }
        } else if last > limit {
            throw fault
        }
        return (segment.base &+ offset) & 0xFFFF_FFFF
    }

    /// The linear address of an instruction's memory operand.
    @inline(__always)
    mutating func operandAddress(_ i: Instruction, _ size: UInt8, write: Bool) throws(Trap) -> UInt64 {
        try linear(i.segment, offset(i), size, write: write)
    }
}
