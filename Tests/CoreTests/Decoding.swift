// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import TestRandom

/// Names of registers by width, in the processor's order.
enum RegisterNames {
    static let byte = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"] + (8...15).map { "r\($0)b" }
    static let high = ["ah", "ch", "dh", "bh"]
    static let word = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"] + (8...15).map { "r\($0)w" }
    static let long = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] + (8...15).map { "r\($0)d" }
    static let quad = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] + (8...15).map { "r\($0)" }
    static let segment = ["es", "cs", "ss", "ds", "fs", "gs"]

    static func of(bytes: Int) -> [String] {
        bytes == 1 ? byte : bytes == 2 ? word : bytes == 4 ? long : quad
    }
}

func mask(_ bytes: Int) -> UInt64 {
    bytes == 8 ? ~0 : (1 << (8 * UInt64(bytes))) - 1
}

/// A memory operand, as text names it, and what it comes to.
struct MemoryOperand {
    var base: Int?
    var index: Int?
    var scale = 1
    var displacement: Int64 = 0
    var segment: Int?
    var addressBytes: Int
    var ripRelative = false

    var text: String {
        let names = RegisterNames.of(bytes: addressBytes)
        let prefix = segment.map { "%\(RegisterNames.segment[$0]):" } ?? ""
        if ripRelative {
            return "\(prefix)\(displacement)(%\(addressBytes == 8 ? "rip" : "eip"))"
        }
        guard base != nil || index != nil else { return "\(prefix)\(displacement)" }
        let first = base.map { "%\(names[$0])" } ?? ""
        let second = index.map { ",%\(names[$0])" + (addressBytes == 2 ? "" : ",\(scale)") } ?? ""
        return "\(prefix)\(displacement)(\(first)\(second))"
    }

    func effective(_ state: DecodeState, length: Int) -> UInt64 {
        var sum = UInt64(bitPattern: displacement)
        if let base { sum &+= state.registers[base] }
        if let index { sum &+= state.registers[index] &* UInt64(scale) }
        if ripRelative { sum &+= state.rip &+ UInt64(length) }
        return sum & mask(addressBytes)
    }

    /// The segment that the processor uses.
    func usedSegment(modeBytes: Int) -> Int {
        if let segment, modeBytes != 8 || segment >= 4 { return segment }
        return base == 4 || base == 5 ? 2 : 3
    }

    func linear(_ state: DecodeState, length: Int) -> UInt64 {
        let segment = usedSegment(modeBytes: state.modeBytes)
        let effective = effective(state, length: length)
        if state.modeBytes == 8 {
            return segment >= 4 ? state.segmentBases[segment] &+ effective : effective
        }
        return (state.segmentBases[segment] &+ effective) & mask(4)
    }
}

/// The registers that an instruction is decoded with.
struct DecodeState {
    var modeBytes: Int
    var registers: [UInt64]
    var rip: UInt64
    var segmentBases: [UInt64]

    init(modeBytes: Int, using random: inout Random) {
        self.modeBytes = modeBytes
        registers = (0..<16).map { _ in random.next() }
        rip = random.next() & mask(modeBytes)
        segmentBases = (0..<6).map { _ in random.next() & (modeBytes == 8 ? ~0 : mask(4)) }
        if modeBytes == 2 {
            segmentBases = segmentBases.map { $0 & 0xffff0 }
        }
    }

    /// The C decoder on `bytes`: its result, and what it says where that is 0.
    func decode(_ bytes: UnsafeBufferPointer<UInt8>) -> (result: Int32, decoded: lkx_decoded) {
        var context = lkx_decode_context()
        var decoded = lkx_decoded()
        context.mode_bytes = UInt8(modeBytes)
        context.rip = rip
        context.segment_base = (
            segmentBases[0], segmentBases[1], segmentBases[2], segmentBases[3], segmentBases[4], segmentBases[5]
        )
        let result = registers.withUnsafeBufferPointer { registers in
            context.gpr = registers.baseAddress
            return lkx_decode_mov(bytes.baseAddress, UInt32(bytes.count), &context, &decoded)
        }
        return (result, decoded)
    }

    func decode(_ bytes: [UInt8]) -> (result: Int32, decoded: lkx_decoded) {
        // An allocation of just this size: an address sanitizer sees the byte after it.
        let exact = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        defer { exact.deallocate() }
        _ = exact.update(fromContentsOf: bytes)
        return decode(UnsafeBufferPointer(exact))
    }
}

/// An instruction of the MOV family, as text names it.
struct Move {
    var write: Bool
    var accessBytes: Int
    var operandBytes: Int
    var register = 0
    var highByte = false
    var immediate: Int64?
    var signExtend = false
    var operand: MemoryOperand

    /// Everything in which the decoder's view of `bytes` differs from this, nil where nothing.
    func difference(from state: DecodeState, length: Int, decoded d: lkx_decoded) -> String? {
        var wrong: [String] = []
        func check<T: Equatable>(_ name: String, _ got: T, _ expected: T) {
            if got != expected { wrong.append("\(name) \(got), expected \(expected)") }
        }
        check("length", Int(d.length), length)
        check("write", d.write, write)
        check("access", Int(d.access_bytes), accessBytes)
        check("immediate", d.immediate, immediate != nil)
        check("effective", d.effective, operand.effective(state, length: length))
        check("linear", d.linear, operand.linear(state, length: length))
        check("segment", Int(d.segment), operand.usedSegment(modeBytes: state.modeBytes))
        if let immediate {
            check("value", d.value, UInt64(bitPattern: immediate) & mask(accessBytes))
        } else {
            check("register", Int(d.reg), register)
            check("high byte", d.high_byte, highByte)
        }
        if write, immediate == nil {
            check("value", d.value, (state.registers[register] >> (highByte ? 8 : 0)) & mask(accessBytes))
        }
        if !write {
            check("operand", Int(d.operand_bytes), operandBytes)
            check("sign extension", d.sign_extend, signExtend)
        }
        return wrong.isEmpty ? nil : wrong.joined(separator: "; ")
    }
}
