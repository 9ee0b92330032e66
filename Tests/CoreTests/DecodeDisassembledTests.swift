// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import Glibc
import TestRandom
import Testing

/// Random bytes: where objdump sees a MOV between memory and a register, so must the decoder, and nowhere else.
@Suite struct DecodeDisassembledTests {
    static let perMode = 4000
    static let opcodes: [[UInt8]] = [
        [0x88], [0x89], [0x8a], [0x8b], [0xa0], [0xa1], [0xa2], [0xa3], [0xc6], [0xc7], [0x63],
        [0x0f, 0xb6], [0x0f, 0xb7], [0x0f, 0xbe], [0x0f, 0xbf],
    ]

    static let prefixes: Set<UInt8> = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]

    /// At most one prefix of a group, in any order, a REX prefix last: what objdump and processors agree on how to read.
    static func bytes(modeBytes: Int, using random: inout Random) -> [UInt8] {
        var prefixes: [UInt8] = []
        if random.oneIn(4) { prefixes.append(0x66) }
        if random.oneIn(4) { prefixes.append(0x67) }
        if random.oneIn(4) { prefixes.append([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].randomElement(using: &random)!) }
        if random.oneIn(40) { prefixes.append([0xf0, 0xf2, 0xf3].randomElement(using: &random)!) }
        prefixes.shuffle(using: &random)
        var result = prefixes
        if modeBytes == 8, random.oneIn(2) { result.append(0x40 | UInt8(random.below(16))) }
        if !random.oneIn(5) { result += opcodes.randomElement(using: &random)! }
        // C6 and C7 are only what they are with a zero in ModRM's middle.
        if result.last == 0xc6 || result.last == 0xc7, !random.oneIn(4) {
            result.append(UInt8(truncatingIfNeeded: random.next()) & 0xc7)
        }
        while result.count < 15 { result.append(UInt8(truncatingIfNeeded: random.next())) }
        return result
    }

    @Test(arguments: [2, 4, 8]) func whatTheDisassemblerReads(modeBytes: Int) throws {
        var random = Random(seed: 100 + UInt64(modeBytes))
        let chunks = (0..<Self.perMode).map { _ in Self.bytes(modeBytes: modeBytes, using: &random) }
        let lines = try Binutils.disassemble(chunks, bits: modeBytes * 8)
        var moves = 0
        for (chunk, line) in zip(chunks, lines) {
            // Two REX prefixes: objdump calls the first one an instruction. DecodeEdgeTests has them.
            if line.text.split(separator: " ").last?.hasPrefix("rex") == true { continue }
            let state = DecodeState(modeBytes: modeBytes, using: &random)
            let (result, decoded) = state.decode(chunk)
            let addressBytes =
                switch (modeBytes, chunk.prefix { Self.prefixes.contains($0) }.contains(0x67)) {
                case (8, false): 8
                case (2, false), (4, true): 2
                default: 4
                }
            let what = "\(chunk.map { String($0, radix: 16) }.joined(separator: " ")): \(line.text)"
            guard let move = Move(disassembled: line.text, addressBytes: addressBytes) else {
                if result != -ENOENT { Issue.record("\(what): the decoder gives \(result)") }
                continue
            }
            moves += 1
            if result != 0 {
                Issue.record("\(what): the decoder gives \(result)")
            } else if let difference = move.difference(from: state, length: line.length, decoded: decoded) {
                Issue.record("\(what): \(difference)")
            }
        }
        #expect(moves > Self.perMode / 3)
    }
}
