// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import Glibc
import TestRandom
import Testing

/// What assemblers don't write.
@Suite struct DecodeEdgeTests {
    private func decode(_ bytes: [UInt8], modeBytes: Int = 8) -> (result: Int32, decoded: lkx_decoded) {
        var random = Random(seed: 7)
        return DecodeState(modeBytes: modeBytes, using: &random).decode(bytes)
    }

    @Test func aRexPrefixCountsOnlyRightBeforeTheOpcode() {
        // 48 66 89 00: the 66 takes REX.W away.
        #expect(decode([0x48, 0x66, 0x89, 0x00]).decoded.access_bytes == 2)
        #expect(decode([0x66, 0x48, 0x89, 0x00]).decoded.access_bytes == 8)
        // Of two the last counts, with all its bits.
        #expect(decode([0x48, 0x41, 0x89, 0x00]).decoded.access_bytes == 4)
        // A REX that doesn't count brings AH back.
        #expect(decode([0x40, 0x66, 0x88, 0x20]).decoded.high_byte)
        #expect(!decode([0x66, 0x40, 0x88, 0x20]).decoded.high_byte)
    }

    @Test func ofSeveralSegmentsTheLastCountsAnd64BitModeSkipsFour() {
        #expect(decode([0x26, 0x64, 0x8b, 0x00], modeBytes: 4).decoded.segment == 4)
        #expect(decode([0x64, 0x26, 0x8b, 0x00], modeBytes: 4).decoded.segment == 0)
        #expect(decode([0x64, 0x26, 0x8b, 0x00], modeBytes: 8).decoded.segment == 4)
        #expect(decode([0x64, 0x65, 0x8b, 0x00], modeBytes: 8).decoded.segment == 5)
    }

    @Test(
        arguments: [
            [0xf0, 0x89, 0x00], [0xf2, 0x89, 0x00], [0xf3, 0x8b, 0x00],  // LOCK, XACQUIRE, XRELEASE
            [0x89, 0xc0], [0x0f, 0xb6, 0xc0],  // registers only
            [0xc6, 0x08, 0x00], [0xc7, 0x38, 0x00, 0x00, 0x00, 0x00],  // C6 and C7 with another ModRM.reg
            [0x8c, 0x00], [0x8e, 0x00], [0x0f, 0x20, 0x00],  // segment and control registers
            [0xa4], [0xaa], [0x01, 0x00], [0x87, 0x00], [0x0f, 0x05], [0x0f, 0xff],
        ] as [[UInt8]]) func whatIsNotDecoded(bytes: [UInt8])
    {
        #expect(decode(bytes).result == -ENOENT)
    }

    @Test func movsxdIsArplOutsideOf64BitMode() {
        #expect(decode([0x63, 0x00], modeBytes: 8).result == 0)
        #expect(decode([0x63, 0x00], modeBytes: 4).result == -ENOENT)
        #expect(decode([0x63, 0x00], modeBytes: 2).result == -ENOENT)
    }

    @Test func moreThanFifteenBytesAreNoInstruction() {
        let fits = [UInt8](repeating: 0x66, count: 13) + [0x8b, 0x00]
        #expect(decode(fits).result == 0)
        #expect(decode(fits).decoded.length == 15)
        #expect(decode([0x66] + fits).result == -ENOENT)
        #expect(decode([UInt8](repeating: 0x66, count: 200)).result == -ENOENT)
        // The immediate would be the 16th to 19th byte.
        #expect(decode([UInt8](repeating: 0x3e, count: 13) + [0xc7, 0x00, 1, 2, 3, 4]).result == -ENOENT)
        #expect(decode([]).result == -E2BIG)
    }

    @Test func ripRelativeCountsFromTheEndOfTheInstruction() {
        var random = Random(seed: 1)
        var state = DecodeState(modeBytes: 8, using: &random)
        state.rip = 0xffff_ffff_ffff_fff0
        // movl $0x11223344, 0x20(%rip), 10 bytes: the address wraps.
        let (result, decoded) = state.decode([0xc7, 0x05, 0x20, 0, 0, 0, 0x44, 0x33, 0x22, 0x11])
        #expect(result == 0 && decoded.length == 10)
        #expect(decoded.effective == 0x1a)
        #expect(decoded.value == 0x1122_3344)
    }

    @Test func immediatesAreSignExtendedToEightBytesAndCutToFewer() {
        #expect(decode([0x48, 0xc7, 0x00, 0xfe, 0xff, 0xff, 0xff]).decoded.value == 0xffff_ffff_ffff_fffe)
        #expect(decode([0xc7, 0x00, 0xfe, 0xff, 0xff, 0xff]).decoded.value == 0xffff_fffe)
        #expect(decode([0x66, 0xc7, 0x00, 0xfe, 0xff]).decoded.value == 0xfffe)
        #expect(decode([0xc6, 0x00, 0xfe]).decoded.value == 0xfe)
    }

    /// Bytes that end where the next page can't be read: a read past them ends the test run.
    @Test func nothingIsReadPastTheEnd() throws {
        let page = 4096
        let pages = mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        #expect(pages != MAP_FAILED)
        defer { munmap(pages, 2 * page) }
        #expect(mprotect(pages + page, page, PROT_NONE) == 0)

        var random = Random(seed: 99)
        var decodedOnes = 0
        for round in 0..<60_000 {
            let modeBytes = [2, 4, 8][round % 3]
            var bytes = DecodeDisassembledTests.bytes(modeBytes: modeBytes, using: &random)
            if random.oneIn(4) { bytes = bytes.map { _ in UInt8(truncatingIfNeeded: random.next()) } }
            bytes = Array(bytes.prefix(random.below(16)))
            let start = pages.assumingMemoryBound(to: UInt8.self) + page - bytes.count
            for (offset, byte) in bytes.enumerated() { start[offset] = byte }
            let state = DecodeState(modeBytes: modeBytes, using: &random)
            let (result, decoded) = state.decode(UnsafeBufferPointer(start: start, count: bytes.count))
            if result == 0 {
                decodedOnes += 1
                #expect(decoded.length >= 1 && decoded.length <= bytes.count)
                #expect([1, 2, 4, 8].contains(decoded.access_bytes) && decoded.reg < 16 && decoded.segment < 6)
            } else if result != -ENOENT && result != -E2BIG {
                Issue.record("\(bytes): \(result)")
            }
        }
        #expect(decodedOnes > 5_000)
    }
}
