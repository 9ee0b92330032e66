// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An uncompressed kernel as an ELF file (`vmlinux`), for x86-64: what is to be put where, and where it is entered.
///
/// System V ABI, "Object Files" and "Program Loading"; Xen, `public/elfnote.h` for the PVH entry point.
public struct ELFKernel: Equatable, Sendable {
    /// In the order of their addresses; none overlaps another.
    public let segments: [Segment]
    /// Physical address of the 64-bit entry point: long mode, boot_params in RSI.
    public let entry64: UInt64
    /// Physical address of the PVH entry point: protected mode, start info in EBX. Nil if no note tells one.
    public let entryPVH: UInt64?

    /// More program headers than that, no kernel has; each costs time.
    static let mostHeaders: UInt16 = 64

    static func isELF(_ image: RawSpan) -> Bool { image.field(0, UInt32.self) == 0x464C_457F }

    public init(_ image: RawSpan) throws(ImageError) {
        let file = try ELFHeader(image)
        var segments: [(segment: Segment, virtual: UInt64)] = []
        var pvh: UInt64?
        for index in 0..<file.count {
            let header = try ProgramHeader(image, file, index)
            switch header.type {
            case ProgramHeader.load where header.memorySize != 0:
                segments.append((try header.segment(image), header.virtual))
            case ProgramHeader.note:
                pvh = try header.entryOfNotes(image) ?? pvh
            default: break
            }
        }
        guard !segments.isEmpty else {
            throw ImageError(.elf, .lacks("no program header tells of memory to load (PT_LOAD)"))
        }
        segments.sort { $0.segment.address < $1.segment.address }
        for (lower, upper) in zip(segments, segments.dropFirst()) where lower.segment.end > upper.segment.address {
            throw .field(
                .elf, "p_paddr", upper.segment.address,
                "0x\(String(lower.segment.end, radix: 16)) or more, where the segment below it ends")
        }
        self.segments = segments.map(\.segment)
        entry64 = try Self.physical(file.entry, in: segments)
        if let pvh, !self.segments.contains(where: { $0.range.contains(pvh) }) {
            throw .field(.elf, "XEN_ELFNOTE_PHYS32_ENTRY", pvh, "an address within a loaded segment")
        }
        entryPVH = pvh
    }

    /// All that nothing else may lie in.
    public var taken: Range<UInt64> { segments[0].address..<segments[segments.count - 1].end }

    /// Linux gives the entry point as a physical address, others as a virtual one.
    private static func physical(
        _ entry: UInt64, in segments: [(segment: Segment, virtual: UInt64)]
    ) throws(ImageError) -> UInt64 {
        if segments.contains(where: { $0.segment.range.contains(entry) }) { return entry }
        for (segment, virtual) in segments where entry >= virtual && entry - virtual < segment.memorySize {
            return segment.address + (entry - virtual)
        }
        throw .field(.elf, "e_entry", entry, "an address within a loaded segment")
    }
}

/// What is needed of the file's header.
struct ELFHeader {
    let entry: UInt64
    let table: UInt64
    let count: UInt16

    init(_ image: RawSpan) throws(ImageError) {
        guard image.contains(0, count: 64),
            let identity = image.field(4, UInt16.self), let type = image.field(16, UInt16.self),
            let machine = image.field(18, UInt16.self), let entry = image.field(24, UInt64.self),
            let table = image.field(32, UInt64.self), let size = image.field(54, UInt16.self),
            let count = image.field(56, UInt16.self)
        else { throw ImageError(.elf, .tooShort(what: "its header", end: 64, size: UInt64(image.byteCount))) }
        guard identity & 0xFF == 2 else { throw .field(.elf, "EI_CLASS", identity & 0xFF, "2, a 64-bit file") }
        guard identity >> 8 == 1 else { throw .field(.elf, "EI_DATA", identity >> 8, "1, little-endian") }
        guard type == 2 || type == 3 else { throw .field(.elf, "e_type", type, "2 (ET_EXEC) or 3 (ET_DYN)") }
        guard machine == 62 else { throw .field(.elf, "e_machine", machine, "0x3e, x86-64") }
        guard size == ProgramHeader.size else {
            throw .field(.elf, "e_phentsize", size, "0x38, the size of a program header")
        }
        guard count > 0, count <= ELFKernel.mostHeaders else {
            throw .field(.elf, "e_phnum", count, "from 1 to \(ELFKernel.mostHeaders) program headers")
        }
        guard image.contains(table, count: UInt64(count) * ProgramHeader.size) else {
            throw .field(.elf, "e_phoff", table, "the place of \(count) program headers within the file")
        }
        self.entry = entry
        self.table = table
        self.count = count
    }
}
