// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Boot

@Suite("A bzImage is read")
struct BzImageTests {
    @Test("for what its header says")
    func fields() throws {
        let image = try SmallBzImage().parse()
        #expect(image.version == 0x20F && image.release == "6.66-test")
        #expect(image.header.count == 0x26C - 0x1F1 && image.header[0] == 4)
        #expect(image.protectedMode == 2560..<2560 + 0x800)
        let payload: Range<UInt64> = 2560 + 0x300..<2560 + 0x700
        #expect(image.payload == payload)
        #expect(image.initSize == 0x40_0000 && image.alignment == 0x20_0000 && image.isRelocatable)
        #expect(image.commandLineLimit == 2047 && image.initrdAddressMax == 0x7FFF_FFFF)
    }

    @Test("and put where it would run, with all it needs")
    func placement() throws {
        let placement = try SmallBzImage().parse().placement
        #expect(
            placement.segment == Segment(fileOffset: 2560, fileSize: 0x800, address: 0x100_0000, memorySize: 0x40_0000))
        #expect(placement.entry64 == 0x100_0200 && placement.taken == 0x100_0000..<0x140_0000)
        // To the next multiple of its alignment, and never below 1 MiB.
        let odd = try SmallBzImage().with(UInt64(0x100_0001), at: 0x258).parse().placement
        #expect(odd.segment.address == 0x120_0000)
        let low = try SmallBzImage().with(UInt64(0), at: 0x258).parse().placement
        #expect(low.segment.address == 0x20_0000)
    }

    @Test("if it moves itself, it is put at 1 MiB and both places are its")
    func immovable() throws {
        let placement = try SmallBzImage().with(UInt8(0), at: 0x234).parse().placement
        #expect(placement.segment == Segment(fileOffset: 2560, fileSize: 0x800, address: 0x10_0000, memorySize: 0x800))
        #expect(placement.needed == 0x100_0000..<0x140_0000 && placement.taken == 0x10_0000..<0x140_0000)
        #expect(placement.entry64 == 0x10_0200)
    }

    @Test("no sectors of setup are four")
    func fourSectors() throws {
        #expect(try SmallBzImage().with(UInt8(0), at: 0x1F1).parse().protectedMode.lowerBound == 2560)
    }

    @Test("its size is rounded up to 16, the file's need not be")
    func rounded() throws {
        var image = SmallBzImage()
        image.bytes.removeLast(15)
        #expect(try image.parse().protectedMode == 2560..<2560 + 0x7F1)
        image.bytes.removeLast()
        #expect(
            throws: ImageError(
                .bzImage, .tooShort(what: "the protected-mode part (syssize)", end: 0x1200, size: 0x11F0))
        ) {
            try image.parse()
        }
        // What follows it, such as a signature, isn't loaded.
        var signed = SmallBzImage()
        signed.bytes += [1, 2, 3]
        #expect(try signed.parse().protectedMode == 2560..<2560 + 0x800)
    }

    @Test("what is cut off anywhere is refused, and nothing is read behind its end")
    func truncated() {
        let image = SmallBzImage()
        let taken = (0..<image.bytes.count - 15).filter { (try? Array(image.bytes[..<$0]).readBzImage()) != nil }
        #expect(taken.isEmpty)
    }

    static let wrong: [(Int, UInt64, Int, String, UInt64)] = [
        (0x1FE, 0xAA54, 2, "boot_flag", 0xAA54), (0x202, 0x5372_6449, 4, "header", 0x5372_6449),
        (0x206, 0x20B, 2, "version", 0x20B), (0x201, 0x61, 1, "jump", 0x61), (0x201, 0x8F, 1, "jump", 0x8F),
        (0x211, 0x80, 1, "loadflags", 0x80), (0x236, 0x7E, 2, "xloadflags", 0x7E), (0x1F4, 0x20, 4, "syssize", 0x20),
        (0x230, 0x30_0000, 4, "kernel_alignment", 0x30_0000), (0x230, 0, 4, "kernel_alignment", 0),
        (0x258, 1 << 32, 8, "pref_address", 1 << 32), (0x248, 0x401, 4, "payload_offset + payload_length", 0x801),
        (0x24C, 0xFFFF_FFFF, 4, "payload_offset + payload_length", 0x1_0000_02FF),
    ]

    @Test("a field that can't be is named with its value", arguments: wrong)
    func named(_ offset: Int, _ value: UInt64, _ size: Int, _ name: String, _ told: UInt64) {
        var image = SmallBzImage()
        for index in 0..<size { image.put(UInt8(truncatingIfNeeded: value >> (8 * index)), offset + index) }
        do throws(ImageError) {
            _ = try image.parse()
            Issue.record("\(name) 0x\(String(value, radix: 16)) was taken")
        } catch {
            guard case .field(let field, let got, let wanted) = error.problem else {
                Issue.record("\(error)")
                return
            }
            #expect(field == name && got == told && !wanted.isEmpty)
            #expect(error.description.hasPrefix("bzImage: \(name) is 0x\(String(told, radix: 16)), wanted: "))
        }
    }

    @Test(
        "any alignment and sizes give a place whose end fits", arguments: [UInt32(1), 0x1000, 0x4000_0000, 0x8000_0000])
    func extremes(_ alignment: UInt32) throws {
        let image = try SmallBzImage().with(alignment, at: 0x230).with(UInt64(0xFFFF_FFFF), at: 0x258)
            .with(UInt32.max, at: 0x260).parse()
        #expect(image.placement.taken.upperBound >= 0xFFFF_FFFF + 0xFFFF_FFFF)
    }

    @Test("other files are told apart")
    func others() {
        #expect(throws: ImageError.self) { try [UInt8]().readKernel() }
        do throws(ImageError) { _ = try Array("#!/bin/sh\n".utf8).readKernel() } catch {
            #expect(error.description.contains("neither a bzImage"))
        }
    }
}
