// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import Glibc
import TestRandom
import Testing

/// Instructions are made here, encoded by GNU as, and must be decoded to what they were made of.
@Suite struct DecodeAssembledTests {
    static let perMode = 700

    static func operand(modeBytes: Int, extended: Bool, using random: inout Random) -> MemoryOperand {
        let addressBytes =
            switch modeBytes {
            case 8: random.oneIn(4) ? 4 : 8
            case 4: random.oneIn(4) ? 2 : 4
            default: random.oneIn(4) ? 4 : 2
            }
        var operand = MemoryOperand(addressBytes: addressBytes)
        switch random.below(3) {
        case 0: operand.displacement = 0
        case 1: operand.displacement = Int64(Int8(truncatingIfNeeded: random.next()))
        default:
            operand.displacement =
                addressBytes == 2
                ? Int64(Int16(truncatingIfNeeded: random.next())) : Int64(Int32(truncatingIfNeeded: random.next()))
        }
        if random.oneIn(3) {
            operand.segment = modeBytes == 8 ? [4, 5].randomElement(using: &random)! : random.below(6)
        }
        if addressBytes == 2 {
            let pairs: [(Int?, Int?)] = [
                (3, 6), (3, 7), (5, 6), (5, 7), (6, nil), (7, nil), (5, nil), (3, nil), (nil, nil),
            ]
            (operand.base, operand.index) = pairs.randomElement(using: &random)!
            if operand.base == nil { operand.displacement &= 0xffff }
            return operand
        }
        if modeBytes == 8, random.oneIn(6) {
            operand.ripRelative = true
            return operand
        }
        let registers = extended ? 16 : 8
        if !random.oneIn(6) { operand.base = random.below(registers) }
        if random.oneIn(2) {
            let index = random.below(registers)
            operand.index = index == 4 ? nil : index
            operand.scale = [1, 2, 4, 8].randomElement(using: &random)!
        }
        if operand.base == nil, operand.index == nil {
            // No register says a width: as takes the mode's.
            operand.addressBytes = modeBytes
            if modeBytes != 8 { operand.displacement &= Int64(mask(modeBytes)) }
        }
        return operand
    }

    /// An instruction and its text.
    static func move(modeBytes: Int, using random: inout Random) -> (Move, String) {
        let long = modeBytes == 8
        let highByte = random.oneIn(4)
        let extended = long && !highByte
        let operand = operand(modeBytes: modeBytes, extended: extended, using: &random)
        let widths = long ? [1, 2, 4, 8] : [1, 2, 4]
        let bytes = widths.randomElement(using: &random)!
        let suffix = [1: "b", 2: "w", 4: "l", 8: "q"]
        let registers = extended ? 16 : 8
        func name(_ register: Int, _ bytes: Int, _ high: Bool) -> String {
            "%" + (high ? RegisterNames.high[register] : RegisterNames.of(bytes: bytes)[register])
        }

        switch random.below(5) {
        case 0, 1:
            let high = bytes == 1 && highByte
            let register = high || (bytes == 1 && !extended) ? random.below(4) : random.below(registers)
            let write = random.oneIn(2)
            let move = Move(
                write: write, accessBytes: bytes, operandBytes: bytes, register: register, highByte: high,
                operand: operand)
            let name = name(register, bytes, high)
            return (move, write ? "mov \(name), \(operand.text)" : "mov \(operand.text), \(name)")
        case 2:
            let value = Int64(Int32(truncatingIfNeeded: random.next()))
            let immediate = bytes == 1 ? value & 0x7f : bytes == 2 ? value & 0x7fff : value
            let move = Move(
                write: true, accessBytes: bytes, operandBytes: bytes, immediate: immediate, operand: operand)
            return (move, "mov\(suffix[bytes]!) $\(immediate), \(operand.text)")
        case 3:
            // From a smaller source: movz and movs, b or w (or l in 64-bit mode) to a wider register.
            let sources = long ? [1, 2, 4] : [1, 2]
            let source = sources.randomElement(using: &random)!
            let destination = widths.filter { $0 > source }.randomElement(using: &random)!
            let signed = source == 4 || random.oneIn(2)
            let register = random.below(registers)
            let move = Move(
                write: false, accessBytes: source, operandBytes: destination, register: register, signExtend: signed,
                operand: operand)
            return (
                move,
                "mov\(signed ? "s" : "z")\(suffix[source]!)\(suffix[destination]!) \(operand.text), \(name(register, destination, false))"
            )
        default:
            // The accumulator's own form: the whole address in the instruction.
            var operand = MemoryOperand(segment: operand.segment, addressBytes: modeBytes)
            operand.displacement = Int64(bitPattern: random.next() & mask(modeBytes))
            let write = random.oneIn(2)
            let move = Move(write: write, accessBytes: bytes, operandBytes: bytes, operand: operand)
            let mnemonic = long ? "movabs" : "mov"
            let name = name(0, bytes, false)
            return (move, write ? "\(mnemonic) \(name), \(operand.text)" : "\(mnemonic) \(operand.text), \(name)")
        }
    }

    @Test(arguments: [2, 4, 8]) func whatTheAssemblerWrites(modeBytes: Int) throws {
        var random = Random(seed: UInt64(modeBytes))
        let cases = (0..<Self.perMode).map { _ in Self.move(modeBytes: modeBytes, using: &random) }
        let encodings = try Binutils.assemble(cases.map(\.1), bits: modeBytes * 8)
        #expect(Set(encodings).count > 500)

        for ((move, text), bytes) in zip(cases, encodings) {
            let state = DecodeState(modeBytes: modeBytes, using: &random)
            let (result, decoded) = state.decode(bytes)
            guard result == 0 else {
                Issue.record("\(text) \(bytes): not decoded, \(result)")
                continue
            }
            if let difference = move.difference(from: state, length: bytes.count, decoded: decoded) {
                Issue.record("\(text) \(bytes): \(difference)")
            }
            // Cut short anywhere it asks for more; what follows it doesn't matter.
            for count in bytes.indices where state.decode(Array(bytes[..<count])).result != -E2BIG {
                Issue.record(
                    "\(text) \(bytes): \(count) bytes of it give \(state.decode(Array(bytes[..<count])).result)")
            }
            let longer = state.decode(bytes + [0xf0, 0x0f])
            #expect(longer.result == 0 && longer.decoded.length == decoded.length)
        }
    }
}
