// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    @inline(__always)
    mutating func setStackPointer(_ value: UInt64) {
        let kept: UInt64 = stackMask == 0xFFFF ? registers[Register.rsp] & ~0xFFFF : 0
        registers[Register.rsp] = value & stackMask | kept
    }

    @inline(__always)
    mutating func push(_ value: UInt64, _ size: UInt8) throws(Trap) {
        let top = (registers[Register.rsp] &- UInt64(size)) & stackMask
        try store(try linear(2, top, size, write: true), size, value)
        setStackPointer(top)
    }

    @inline(__always)
    mutating func pop(_ size: UInt8) throws(Trap) -> UInt64 {
        let value = try peek(0, size)
        setStackPointer(registers[Register.rsp] &+ UInt64(size))
        return value
    }

    /// PUSH of a segment register: room for the operand size, of which only the selector's 16 bits are written (SDM vol. 2, "PUSH": as all
    /// recent processors do).
    mutating func pushSegment(_ number: Int, _ size: UInt8) throws(Trap) {
        let top = (registers[Register.rsp] &- UInt64(size)) & stackMask
        try store(try linear(2, top, 2, write: true), 2, UInt64(segments[number].selector))
        setStackPointer(top)
    }

    /// Reads the stack at a distance from its top.
    @inline(__always)
    mutating func peek(_ distance: UInt64, _ size: UInt8) throws(Trap) -> UInt64 {
        let offset = (registers[Register.rsp] &+ distance) & stackMask
        return try load(try linear(2, offset, size, write: false), size)
    }

    /// PUSHA: the eight registers, with the stack pointer as it was before.
    mutating func pushAll(_ size: UInt8) throws(Trap) {
        let before = registers[Register.rsp]
        for number in 0..<8 { try push(number == Register.rsp ? before : registers[number], size) }
    }

    /// POPA: all but the stack pointer; memory is read before any register changes.
    mutating func popAll(_ size: UInt8) throws(Trap) {
        var values = InlineArray<8, UInt64>(repeating: 0)
        for number in 0..<8 { values[7 - number] = try peek(UInt64(number) * UInt64(size), size) }
        for number in 0..<8 where number != Register.rsp { setRegister(UInt8(number), size, values[number]) }
        setStackPointer(registers[Register.rsp] &+ 8 &* UInt64(size))
    }

    /// ENTER (SDM vol. 2): a frame of `bytes`, with `level` frame pointers copied.
    mutating func enterFrame(_ bytes: UInt64, _ level: UInt64, _ size: UInt8) throws(Trap) {
        let level = level & 31
        try push(registers[Register.rbp], size)
        let frame = registers[Register.rsp]
        if level > 0 {
            var pointer = registers[Register.rbp]
            for _ in 1..<level {
                pointer = (pointer &- UInt64(size)) & stackMask
                try push(try load(try linear(2, pointer, size, write: false), size), size)
            }
            try push(frame, size)
        }
        let top = (registers[Register.rsp] &- bytes) & stackMask
        // The frame's end must be writable, or the instruction is restarted.
        try checkWritable(try linear(2, top, size, write: true), size)
        setStackPointer(top)
        setRegister(5, size, frame)
    }

    /// LEAVE.
    mutating func leaveFrame(_ size: UInt8) throws(Trap) {
        let offset = registers[Register.rbp] & stackMask
        let value = try load(try linear(2, offset, size, write: false), size)
        setStackPointer(offset &+ UInt64(size))
        setRegister(5, size, value)
    }

    /// PUSHF.
    mutating func pushFlags(_ size: UInt8) throws(Trap) {
        if isVirtual8086 && ioPrivilege < 3 { throw .general }
        try push(flags & ~(Flag.resume | Flag.virtual8086), size)
    }

    /// POPF: what may change depends on CPL and IOPL.
    mutating func popFlags(_ size: UInt8) throws(Trap) {
        if isVirtual8086 && ioPrivilege < 3 { throw .general }
        let value = try pop(size)
        var mask = Flag.status | Flag.trap | Flag.direction | Flag.nestedTask
        if size > 2 { mask |= Flag.alignmentCheck | Flag.identification }
        if !isProtected || !isVirtual8086 && privilege == 0 { mask |= Flag.ioPrivilege | Flag.interrupt }
        if privilege <= ioPrivilege { mask |= Flag.interrupt }
        setFlags(value, mask)
        flags &= ~Flag.resume
    }

    /// Replaces the flags in `mask`.
    mutating func setFlags(_ value: UInt64, _ mask: UInt64) {
        let changed = (flags ^ value) & mask
        flags = flags & ~mask | value & mask | Flag.fixed
        if changed & (Flag.alignmentCheck | Flag.virtual8086) != 0 { refreshMode() }
    }
}
