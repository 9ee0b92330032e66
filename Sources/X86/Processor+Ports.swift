// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// IN and OUT.
    mutating func portInstruction(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size = opcode & 1 == 0 ? 1 : min(i.size, 4)
        let isImmediate = opcode < 0xE8
        let port = UInt16(truncatingIfNeeded: isImmediate ? i.immediate & 0xFF : registers[Register.rdx])
        try checkPort(port, size)
        if opcode & 2 == 0 {
            try interceptPort(.input, i, port, size, isImmediate: isImmediate)
            writeRegister(0, size, true, try readPort(port, size))
        } else {
            try interceptPort(.output, i, port, size, isImmediate: isImmediate)
            try writePort(port, size, registers[Register.rax] & sizeMask(size))
        }
    }

    /// Whether the running code may use a port: by IOPL, else by the TSS's bitmap (SDM vol. 1, 19.5).
    mutating func checkPort(_ port: UInt16, _ size: UInt8) throws(Trap) {
        guard isProtected, isVirtual8086 || privilege > ioPrivilege else { return }
        guard tr.access & 8 != 0, !tr.isUnusable, tr.limit >= 0x67 else { throw .general }
        let map = try loadSystem(advanced(tr.base, 0x66), 2)
        let position = map + UInt64(port >> 3)
        guard position + 1 <= UInt64(tr.limit) else { throw .general }
        let bits = try loadSystem(advanced(tr.base, position), 2) >> UInt64(port & 7)
        guard bits & ((1 << UInt64(size)) - 1) == 0 else { throw .general }
    }

    mutating func interceptPort(
        _ point: InterceptPoint, _ i: Instruction, _ port: UInt16, _ size: UInt8,
        isImmediate: Bool = false, string: UInt64? = nil
    ) throws(Trap) {
        guard intercepts.has(point) else { return }
        interception = Interception(point: point)
        interception.number = UInt32(port)
        interception.size = size
        interception.isImmediate = isImmediate
        interception.isString = string != nil
        interception.isRepeated = string != nil && i.isRepeated
        interception.linear = string ?? 0
        interception.segment = point == .input ? 0 : i.segment
        interception.addressSize = i.addressSize
        interception.value = registers[Register.rax] & sizeMask(size)
        throw .intercept
    }

    mutating func readPort(_ port: UInt16, _ size: UInt8) throws(Trap) -> UInt64 {
        guard let value = bus.readPort(port, size: Int(size)) else { throw .refused }
        notePortBreakpoints(port, UInt64(size))
        return UInt64(value) & sizeMask(size)
    }

    mutating func writePort(_ port: UInt16, _ size: UInt8, _ value: UInt64) throws(Trap) {
        guard bus.writePort(port, size: Int(size), value: UInt32(truncatingIfNeeded: value)) else { throw .refused }
        notePortBreakpoints(port, UInt64(size))
    }
}
