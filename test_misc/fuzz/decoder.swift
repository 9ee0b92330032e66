// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=16
// Fuzzes the interpreter's decoder. The input: a byte for the code size and how many bytes there are, then those.
import CLikexCore
@testable import X86

@c(LLVMFuzzerTestOneInput)
public func fuzzDecoder(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data = unsafe data, size > 0 else { return 0 }
    let first = unsafe data[0]
    var code = Code(codeSize: [2, 4, 8, 8][Int(first & 3)])
    while code.count < min(size - 1, Decoder.longest) {
        code.bytes[code.count] = unsafe data[1 + code.count]
        code.count += 1
    }
    if first & 0x80 != 0 { code.count = min(code.count, Int(first >> 2) & 15) }
    code.check()
    return 0
}

/// Bytes to be decoded.
struct Code {
    var bytes = InlineArray<16, UInt8>(repeating: 0)
    var count = 0
    let codeSize: UInt8

    init(codeSize: UInt8) { self.codeSize = codeSize }

    func decode(_ bytes: InlineArray<16, UInt8>, _ count: Int) -> Result<Instruction, Decoder.Failure> {
        var decoder = Decoder(bytes, count: count, codeSize: codeSize)
        do throws(Decoder.Failure) { return .success(try decoder.decode()) } catch { return .failure(error) }
    }

    func check() {
        let result = decode(bytes, count)
        switch result {
        case .success(let instruction):
            let length = Int(instruction.length)
            precondition(length >= 1 && length <= Decoder.longest && length <= count)
            checkFields(instruction)
            // Bytes behind the instruction are not looked at, and none before its end can be missed.
            precondition(isSame(decode(scrambled(from: length), count), instruction))
            precondition(isSame(decode(bytes, length), instruction))
            for short in 0..<length { precondition(isFailure(decode(bytes, short), .incomplete)) }
        case .failure(.incomplete):
            precondition(count < Decoder.longest)
            if count > 0 { precondition(isFailure(decode(bytes, count - 1), .incomplete)) }
        case .failure(.tooLong):
            precondition(count == Decoder.longest)
            precondition(isFailure(decode(bytes, count - 1), .incomplete))
        case .failure(.undefined):
            precondition(isFailure(decode(scrambled(from: count), Decoder.longest), .undefined))
        }
        compareWithCore(result)
    }

    /// What the interpreter indexes with.
    private func checkFields(_ i: Instruction) {
        precondition(i.opcode >> 8 <= 6 && [2, 4, 8].contains(i.size) && [2, 4, 8].contains(i.addressSize))
        precondition(i.reg < 16 && i.rm < 16 && i.vector < 16 && i.segment < 6 && i.scale < 4)
        precondition(i.base <= Registers.zero && i.index <= Registers.zero)
        guard codeSize != 8 else { return }
        precondition(i.size != 8 && i.addressSize != 8 && i.reg < 8 && i.rm < 8 && !i.hasREX)
        precondition(i.base < 8 || i.base == Registers.zero)
        precondition(i.index < 8 || i.index == Registers.zero)
    }

    private func scrambled(from start: Int) -> InlineArray<16, UInt8> {
        var other = bytes
        for index in start..<16 { other[index] ^= UInt8(0x3B + 7 * index) }
        return other
    }

    private func isSame(_ result: Result<Instruction, Decoder.Failure>, _ expected: Instruction) -> Bool {
        guard case .success(let got) = result else { return false }
        return unsafe withUnsafeBytes(of: got) { got in
            unsafe withUnsafeBytes(of: expected) { unsafe got.elementsEqual($0) }
        }
    }

    private func isFailure(_ result: Result<Instruction, Decoder.Failure>, _ expected: Decoder.Failure) -> Bool {
        if case .failure(let failure) = result { failure == expected } else { false }
    }
}
