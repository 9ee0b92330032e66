// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CX87
import TestRandom
import Testing
import X86

/// A random state of the x87, in which one instruction is executed here and by the host.
struct X87Case: CustomStringConvertible {
    var controlWord: UInt16
    var statusWord: UInt16
    /// Bit n: register n isn't empty.
    var tags: UInt8
    /// ST(0) to ST(7).
    var registers: [Number]
    var flags: UInt64
    var memory: [UInt8]

    var description: String {
        "control \(hex(controlWord)) status \(hex(statusWord)) tags \(hex(tags)) st \(registers) memory \(memory.prefix(10).map(hex))"
    }

    struct Number: Equatable, CustomStringConvertible {
        var head: UInt16
        var significand: UInt64

        /// Whether the numbers are at most some units in the last place apart.
        func isNear(_ other: Number, _ units: UInt64) -> Bool {
            guard head & 0x8000 == other.head & 0x8000 else { return false }
            let (low, high) = (min(head, other.head), max(head, other.head))
            if high - low > 1 { return false }
            if high == low { return max(significand, other.significand) - min(significand, other.significand) <= units }
            // Around a power of two.
            let (upper, lower) = head == high ? (significand, other.significand) : (other.significand, significand)
            return upper &- 1 << 63 <= units && UInt64.max - lower <= units
        }

        var description: String { String(head, radix: 16) + ":" + String(significand, radix: 16) }
    }

    init(_ random: inout Random) {
        let masks = random.chance(50) ? 0x3F : UInt16(truncatingIfNeeded: random.next() & 0x3F)
        let precision = random.pick([0x300, 0x300, 0x200, 0x000] as [UInt16])
        let rounding = UInt16(truncatingIfNeeded: random.next() & 3) << 10
        controlWord = masks | precision | rounding | 0x40
        // Exceptions that aren't masked would be raised before the instruction.
        statusWord = UInt16(truncatingIfNeeded: random.next()) & 0x7F00
        if random.chance(30) { statusWord |= UInt16(truncatingIfNeeded: random.next()) & masks }
        tags = random.chance(70) ? random.pick([0x7F, 0xFF, 0xFE, 0xEF]) : random.byte()
        if random.chance(60) {
            // ST(7) empty and all others full, so that everything has room.
            tags = ~(1 << UInt8((statusWord >> 11 &- 1) & 7))
        }
        registers = (0..<8).map { _ in Self.number(&random) }
        if random.chance(40) {
            // Two numbers near to each other.
            let distance = UInt16.random(in: 0..<70, using: &random)
            let head = registers[0].head & 0x7FFF
            if head > 100 && head < 0x7F00 { registers[1].head = head - distance | registers[1].head & 0x8000 }
            if random.chance(30) { registers[1].significand = registers[0].significand ^ random.next() & 3 }
        }
        flags = random.next() & 0x8D5 | 0x202
        memory = Self.operand(&random)
    }

    private static func number(_ random: inout Random) -> Number {
        let sign: UInt16 = random.chance(50) ? 0x8000 : 0
        let significand =
            random.pick([random.next(), random.next() & (.max << (random.next() % 64)), 0, .max]) | 1 << 63
        switch random.next() % 16 {
        case 0: return Number(head: sign, significand: 0)
        case 1: return Number(head: sign, significand: random.next() >> (random.next() % 64))
        case 2: return Number(head: 0x7FFF | sign, significand: 1 << 63)
        case 3: return Number(head: 0x7FFF | sign, significand: random.next() | 1 << 63)
        case 4: return Number(head: UInt16(truncatingIfNeeded: random.next()), significand: random.interesting())
        case 5, 6: return Number(head: UInt16(truncatingIfNeeded: random.next()), significand: significand)
        case 7, 8: return Number(head: 0x3FFF + UInt16(random.next() % 70) | sign, significand: significand)
        case 9: return Number(head: UInt16(random.next() % 80) | sign, significand: significand)
        case 10: return Number(head: 0x7FFE - UInt16(random.next() % 80) | sign, significand: significand)
        case 11: return Number(head: 0x3F80 + UInt16(random.next() % 4) | sign, significand: significand)
        case 12: return Number(head: 0x3C00 + UInt16(random.next() % 4) | sign, significand: significand)
        default: return Number(head: 0x3FC0 + UInt16(random.next() % 128) | sign, significand: significand)
        }
    }

    /// The bytes of a number in a random format, then random ones.
    private static func operand(_ random: inout Random) -> [UInt8] {
        var bytes = (0..<128).map { _ in random.byte() }
        let value: UInt64 =
            switch random.next() % 4 {
            case 0:
                Double(bitPattern: random.next() & 1 << 63 | (0x3F0 + random.next() % 32) << 52 | random.next() >> 12)
                    .bitPattern
            case 1: UInt64(Float(bitPattern: UInt32(truncatingIfNeeded: random.next())).bitPattern)
            case 2: random.interesting()
            default: random.pick([0x7FF << 52, 0x7F80_0000, 1, 0x7FF0_0000_0000_0001, 0x7F80_0001, 0x8000_0000])
            }
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
        return bytes
    }

    /// Makes ST(0) a number of one of some exponents and ST(1) any, with all exceptions masked and rounding to nearest.
    mutating func makeFunctionArguments(_ random: inout Random, exponents: ClosedRange<Int>) {
        controlWord = 0x37F
        statusWord &= 0x3800
        tags = ~(1 << UInt8((statusWord >> 11 &- 1) & 7))
        func number(_ exponents: ClosedRange<Int>) -> Number {
            let sign: UInt16 = random.chance(50) ? 0x8000 : 0
            return Number(
                head: UInt16(0x3FFF + Int.random(in: exponents, using: &random)) | sign,
                significand: random.next() | 1 << 63)
        }
        registers[0] = number(exponents)
        registers[1] = number(-60...60)
    }

    /// Executes `form` on both; says what differs.
    ///
    /// - Parameter units: by how many units in the last place results may differ.
    func difference(_ form: [UInt8], _ guest: inout Guest, units: UInt64 = 0) -> String? {
        var test = self
        let isDecimal = form == [0xDF, 0x26]
        if isDecimal {
            for index in 0..<10 { test.memory[index] = test.memory[index] % 10 | (test.memory[index] >> 4) % 10 << 4 }
        }
        if form == [0xD9, 0x26] || form == [0xDD, 0x26] || form == [0xD9, 0x2E] {
            // An environment whose reserved bits are as processors have them.
            test.memory[0] = test.memory[0] & 0x3F | 0x40
            test.memory[1] &= 0x0F
        }
        let ours = test.here(form, &guest)
        var theirs = test.host(form)
        // FCOMI and its like: C1 becomes 0 in the SDM, and stays on an EPYC.
        let comparesToFlags = [0xDB, 0xDF].contains(form[0]) && (0xE8...0xF7).contains(form[1])
        if comparesToFlags { theirs.statusWord &= ~0x200 }
        if units > 0 {
            // C1 tells how a result was rounded that isn't the same.
            theirs.statusWord = theirs.statusWord & ~0x200 | ours.statusWord & 0x200
            for n in 0..<8 where ours.registers[n].isNear(theirs.registers[n], units) {
                theirs.registers[n] = ours.registers[n]
            }
        }
        guard ours != theirs else { return nil }
        return "on \(test): \(ours.difference(from: theirs))"
    }

    struct Result: Equatable {
        var controlWord: UInt16
        var statusWord: UInt16
        var tags: UInt8
        var registers: [Number]
        var flags: UInt64
        var memory: [UInt8]

        /// What differs, "here against there".
        func difference(from other: Result) -> String {
            var parts: [String] = []
            if controlWord != other.controlWord {
                parts.append("control \(hex(controlWord)) against \(hex(other.controlWord))")
            }
            if statusWord != other.statusWord {
                parts.append("status \(hex(statusWord)) against \(hex(other.statusWord))")
            }
            if tags != other.tags { parts.append("tags \(hex(tags)) against \(hex(other.tags))") }
            for n in 0..<8 where registers[n] != other.registers[n] {
                parts.append("st(\(n)) \(registers[n]) against \(other.registers[n])")
            }
            if flags != other.flags { parts.append("flags \(hex(flags)) against \(hex(other.flags))") }
            for index in memory.indices where memory[index] != other.memory[index] {
                parts.append("byte \(index) \(hex(memory[index])) against \(hex(other.memory[index]))")
            }
            return parts.joined(separator: ", ")
        }
    }

    private func here(_ form: [UInt8], _ guest: inout Guest) -> Result {
        guest.processor.rip = UInt64(Guest.code)
        guest[Register.rax] = 0
        guest.processor.vectors.controlWord = controlWord
        guest.processor.vectors.statusWord = statusWord
        guest.processor.vectors.tagWord = tags
        for (n, number) in registers.enumerated() {
            guest.processor.vectors[stack: n] = SIMD2(number.significand, UInt64(number.head))
        }
        guest.processor.flags = flags
        guest.memory.write(memory, at: Guest.data)
        let outcome = guest.execute()
        #expect(outcome == .retired, "\(form.map { String($0, radix: 16) })")
        let state = guest.processor.vectors
        return Result(
            controlWord: state.controlWord, statusWord: state.statusWord, tags: state.tagWord,
            registers: (0..<8).map {
                Number(head: UInt16(truncatingIfNeeded: state[stack: $0][1]), significand: state[stack: $0][0])
            },
            flags: guest.processor.flags & 0x8D5,
            memory: Self.comparable(form, (0..<128).map { UInt8(guest.memory[Guest.data + $0, 1]) }))
    }

    private func host(_ form: [UInt8]) -> Result {
        var state = cx87_state()
        var tagWord: UInt32 = 0
        for number in 0..<8 where tags >> UInt8(number) & 1 == 0 { tagWord |= 3 << UInt32(2 * number) }
        state.environment = (UInt32(controlWord), UInt32(statusWord), tagWord, 0, 0, 0, 0)
        state.flags = flags
        unsafe withUnsafeMutableBytes(of: &state.registers) { bytes in
            for (n, number) in registers.enumerated() {
                unsafe bytes.storeBytes(of: number.significand, toByteOffset: 10 * n, as: UInt64.self)
                unsafe bytes.storeBytes(of: number.head, toByteOffset: 10 * n + 8, as: UInt16.self)
            }
        }
        var memory = memory
        unsafe memory.withUnsafeMutableBytes { bytes in
            unsafe cx87_execute(form, UInt32(form.count), &state, bytes.baseAddress)
        }
        var tags: UInt8 = 0
        for number in 0..<8 where state.environment.2 >> UInt32(2 * number) & 3 != 3 { tags |= 1 << UInt8(number) }
        let numbers = unsafe withUnsafeBytes(of: state.registers) { bytes in
            (0..<8).map { n in
                unsafe Number(
                    head: bytes.loadUnaligned(fromByteOffset: 10 * n + 8, as: UInt16.self),
                    significand: bytes.loadUnaligned(fromByteOffset: 10 * n, as: UInt64.self))
            }
        }
        return Result(
            controlWord: UInt16(truncatingIfNeeded: state.environment.0),
            statusWord: UInt16(truncatingIfNeeded: state.environment.1), tags: tags,
            registers: numbers, flags: state.flags & 0x8D5, memory: Self.comparable(form, memory))
    }

    /// Without the places of the last instruction, which differ, in what FNSTENV and FNSAVE store.
    private static func comparable(_ form: [UInt8], _ memory: [UInt8]) -> [UInt8] {
        guard form == [0xD9, 0x36] || form == [0xDD, 0x36] else { return memory }
        var memory = memory
        for index in 12..<28 { memory[index] = 0 }
        return memory
    }
}

private func hex(_ value: some BinaryInteger) -> String { String(value, radix: 16) }
