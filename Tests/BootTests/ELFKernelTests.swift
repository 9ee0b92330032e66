// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Boot

@Suite("An ELF kernel is read")
struct ELFKernelTests {
    @Test("for its segments and entry points")
    func fields() throws {
        let kernel = try SmallELF().parse()
        #expect(
            kernel.segments == [
                Segment(fileOffset: 0x200, fileSize: 0x100, address: 0x100_0000, memorySize: 0x100),
                Segment(fileOffset: 0x300, fileSize: 0x80, address: 0x120_0000, memorySize: 0x2000),
            ])
        #expect(kernel.entry64 == 0x100_0010 && kernel.entryPVH == 0x100_0020)
        #expect(kernel.taken == 0x100_0000..<0x120_2000)
    }

    @Test("whose entry point may be virtual, and whose segments in any order")
    func virtualEntry() throws {
        #expect(try SmallELF().with(UInt64(0xFFFF_FFFF_8120_0040), at: 24).parse().entry64 == 0x120_0040)
        let swapped = try SmallELF().with(UInt64(0x140_0000), at: SmallELF.code + 24).with(UInt64(0x140_0000), at: 24)
            .with(UInt32(0), at: SmallELF.note).parse()
        #expect(swapped.segments.map(\.address) == [0x120_0000, 0x140_0000])
    }

    @Test("without a note there is no PVH entry point")
    func noNote() throws {
        #expect(try SmallELF().with(UInt32(17), at: 0x380 + 28).parse().entryPVH == nil)
        #expect(try SmallELF().with(UInt32(0), at: SmallELF.note).parse().entryPVH == nil)
        // One of eight bytes.
        var wide = SmallELF().with(UInt32(8), at: 0x380 + 24).with(UInt64(0x100_0030), at: 0x380 + 36)
        wide.bytes.put(UInt64(0x2C), at: SmallELF.note + 32)
        #expect(try wide.parse().entryPVH == 0x100_0030)
    }

    @Test("what is cut off anywhere is refused, and nothing is read behind its end")
    func truncated() {
        let kernel = SmallELF()
        // What is behind the note belongs to nothing.
        let taken = (0..<0x3A8).filter { (try? Array(kernel.bytes[..<$0]).readELF()) != nil }
        #expect(taken.isEmpty && (try? Array(kernel.bytes[..<0x3A8]).readELF()) != nil)
    }

    static let wrong: [(Int, UInt64, Int, String)] = [
        (4, 1, 1, "EI_CLASS"), (5, 2, 1, "EI_DATA"), (16, 1, 2, "e_type"), (18, 40, 2, "e_machine"),
        (54, 32, 2, "e_phentsize"),
        (56, 0, 2, "e_phnum"), (56, 65, 2, "e_phnum"), (56, 0xFFFF, 2, "e_phnum"), (32, .max, 8, "e_phoff"),
        (32, 0x3FF, 8, "e_phoff"), (24, 0x100_0100, 8, "e_entry"), (24, .max, 8, "e_entry"),
        (SmallELF.code + 40, 0xFF, 8, "p_memsz"), (SmallELF.code + 40, .max, 8, "p_paddr + p_memsz"),
        (SmallELF.code + 24, .max, 8, "p_paddr + p_memsz"), (SmallELF.code + 24, 0x120_1FFF, 8, "p_paddr"),
        (SmallELF.code + 24, 0x11F_FF01, 8, "p_paddr"),
        (0x380, 0xFFFF_FFFF, 4, "a note's size"), (0x384, 0xFFFF_FFFF, 4, "a note's size"),
        (0x384, 0x21, 4, "a note's size"),
        (0x380 + 24, 5, 4, "a note's size"), (0x380 + 24, 3, 4, "size of XEN_ELFNOTE_PHYS32_ENTRY"),
        (0x380 + 36, 0x120_2000, 4, "XEN_ELFNOTE_PHYS32_ENTRY"),
    ]

    @Test("a field that can't be is named", arguments: wrong)
    func named(_ offset: Int, _ value: UInt64, _ size: Int, _ name: String) {
        var kernel = SmallELF()
        for index in 0..<size { kernel.bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
        do throws(ImageError) {
            _ = try kernel.parse()
            Issue.record("\(name) 0x\(String(value, radix: 16)) was taken")
        } catch {
            guard case .field(let field, _, _) = error.problem else {
                Issue.record("\(error)")
                return
            }
            #expect(field == name, "\(error)")
        }
    }

    @Test("a segment outside the file, or none at all, is refused", arguments: [UInt64(0x301), 0x400, .max])
    func outside(_ offset: UInt64) {
        #expect(throws: ImageError.self) { try SmallELF().with(offset, at: SmallELF.code + 8).parse() }
        #expect(throws: ImageError(.elf, .lacks("no program header tells of memory to load (PT_LOAD)"))) {
            try SmallELF().with(UInt32(0), at: SmallELF.code).with(UInt64(0), at: SmallELF.data + 40)
                .with(UInt64(0), at: SmallELF.data + 32).parse()
        }
    }
}
