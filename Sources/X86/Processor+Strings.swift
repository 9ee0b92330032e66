// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// String instructions. REP does at most `repeatBatch` elements a step and leaves RIP in place when more are to come, so that
/// interrupts get in between; every element is finished before the registers move, so faults restart in the right place.
extension Processor {
    static var repeatBatch: Int { 4096 }

    @inline(__always)
    private func index(_ number: Int, _ i: Instruction) -> UInt64 { registers[number] & i.addressMask }

    @inline(__always)
    private mutating func advance(_ number: Int, _ i: Instruction, _ size: UInt8) {
        let step = flags & Flag.direction != 0 ? 0 &- UInt64(size) : UInt64(size)
        setIndex(number, i, registers[number] &+ step)
    }

    @inline(__always)
    private mutating func setIndex(_ number: Int, _ i: Instruction, _ value: UInt64) {
        setRegister(UInt8(number), i.addressSize, value)
    }

    /// Runs `element` once, or as REP says. Comparing instructions stop on ZF.
    @inline(__always)
    private mutating func repeated(
        _ i: Instruction, compares: Bool,
        _ element: (inout Processor) throws(Trap) -> Void
    ) throws(Trap) {
        guard i.isRepeated else {
            try element(&self)
            return
        }
        var left = flags & Flag.trap != 0 || dataMode == AccessMode.checked ? 1 : Self.repeatBatch
        while true {
            let count = index(Register.rcx, i)
            if count == 0 { return }
            // A fault restores the flags of before the instruction (SDM vol. 2, "REP").
            try element(&self)
            setIndex(Register.rcx, i, count &- 1)
            if count == 1 { return }
            if compares {
                let wantsEqual = i.prefixes.contains(.repeatEqual)
                if (flags & Flag.zero != 0) != wantsEqual { return }
            }
            left -= 1
            if left == 0 {
                isRepeating = true
                return
            }
        }
    }

    mutating func moveString(_ i: Instruction, _ size: UInt8) throws(Trap) {
        if i.isRepeated, moveBulk(i, size) { return }
        try repeated(i, compares: false) { (processor) throws(Trap) in
            let from = try processor.linear(i.segment, processor.index(Register.rsi, i), size, write: false)
            let value = try processor.load(from, size)
            let to = try processor.linear(0, processor.index(Register.rdi, i), size, write: true)
            try processor.store(to, size, value)
            processor.advance(Register.rsi, i, size)
            processor.advance(Register.rdi, i, size)
        }
    }

    mutating func storeString(_ i: Instruction, _ size: UInt8) throws(Trap) {
        try repeated(i, compares: false) { (processor) throws(Trap) in
            let to = try processor.linear(0, processor.index(Register.rdi, i), size, write: true)
            try processor.store(to, size, processor.registers[Register.rax])
            processor.advance(Register.rdi, i, size)
        }
    }

    mutating func loadString(_ i: Instruction, _ size: UInt8) throws(Trap) {
        try repeated(i, compares: false) { (processor) throws(Trap) in
            let from = try processor.linear(i.segment, processor.index(Register.rsi, i), size, write: false)
            processor.writeRegister(0, size, true, try processor.load(from, size))
            processor.advance(Register.rsi, i, size)
        }
    }

    mutating func compareString(_ i: Instruction, _ size: UInt8) throws(Trap) {
        try repeated(i, compares: true) { (processor) throws(Trap) in
            let from = try processor.linear(i.segment, processor.index(Register.rsi, i), size, write: false)
            let first = try processor.load(from, size)
            let to = try processor.linear(0, processor.index(Register.rdi, i), size, write: false)
            let second = try processor.load(to, size)
            _ = processor.subtract(first, second, 0, size)
            processor.advance(Register.rsi, i, size)
            processor.advance(Register.rdi, i, size)
        }
    }

    mutating func scanString(_ i: Instruction, _ size: UInt8) throws(Trap) {
        try repeated(i, compares: true) { (processor) throws(Trap) in
            let from = try processor.linear(0, processor.index(Register.rdi, i), size, write: false)
            let value = try processor.load(from, size)
            _ = processor.subtract(processor.registers[Register.rax] & sizeMask(size), value, 0, size)
            processor.advance(Register.rdi, i, size)
        }
    }

    /// INS.
    mutating func inputString(_ i: Instruction, _ size: UInt8) throws(Trap) {
        let port = UInt16(truncatingIfNeeded: registers[Register.rdx])
        try checkPort(port, size)
        if i.isRepeated && index(Register.rcx, i) == 0 { return }
        let first = try linear(0, index(Register.rdi, i), size, write: true)
        try interceptPort(.input, i, port, size, string: first)
        try repeated(i, compares: false) { (processor) throws(Trap) in
            let to = try processor.linear(0, processor.index(Register.rdi, i), size, write: true)
            // The page is looked up before the port is read: a fault must not lose the port's value.
            try processor.checkWritable(to, size)
            try processor.store(to, size, try processor.readPort(port, size))
            processor.advance(Register.rdi, i, size)
        }
    }

    /// OUTS.
    mutating func outputString(_ i: Instruction, _ size: UInt8) throws(Trap) {
        let port = UInt16(truncatingIfNeeded: registers[Register.rdx])
        try checkPort(port, size)
        if i.isRepeated && index(Register.rcx, i) == 0 { return }
        let first = try linear(i.segment, index(Register.rsi, i), size, write: false)
        try interceptPort(.output, i, port, size, string: first)
        try repeated(i, compares: false) { (processor) throws(Trap) in
            let from = try processor.linear(i.segment, processor.index(Register.rsi, i), size, write: false)
            try processor.writePort(port, size, try processor.load(from, size))
            processor.advance(Register.rsi, i, size)
        }
    }

    /// REP MOVS forward over plain memory, as much as lies within both pages; true when it did something.
    private mutating func moveBulk(_ i: Instruction, _ size: UInt8) -> Bool {
        guard bypassesSegmentation, flags & (Flag.direction | Flag.trap) == 0, i.addressSize == 8 else { return false }
        let count = registers[Register.rcx]
        let from = registers[Register.rsi] &+ (i.segment >= 4 ? segments[Int(i.segment)].base : 0)
        let to = registers[Register.rdi]
        let room = min(4096 - from & 0xFFF, 4096 - to & 0xFFF)
        let elements = min(count, room / UInt64(size))
        guard elements > 1, isCanonical(from), isCanonical(to),
            let source = unsafe translations.lookup(from, size: 1, permission: 1 &<< dataMode),
            let target = unsafe translations.lookup(to, size: 1, permission: 2 &<< dataMode)
        else { return false }
        let bytes = elements * UInt64(size)
        // Overlapping upwards copies repeat a pattern, element by element: not a block move.
        if UInt(bitPattern: target) &- UInt(bitPattern: source) < UInt(bytes) { return false }
        unsafe target.copyMemory(from: source, byteCount: Int(bytes))
        registers[Register.rsi] &+= bytes
        registers[Register.rdi] &+= bytes
        registers[Register.rcx] &-= elements
        isRepeating = elements < count
        return true
    }
}
