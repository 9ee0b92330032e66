// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An ELF file's program header.
struct ProgramHeader {
    static let size: UInt64 = 56
    static let load: UInt32 = 1
    static let note: UInt32 = 4

    let type: UInt32
    let offset: UInt64
    let virtual: UInt64
    let physical: UInt64
    let fileSize: UInt64
    let memorySize: UInt64
    let alignment: UInt64

    init(_ image: RawSpan, _ file: ELFHeader, _ index: UInt16) throws(ImageError) {
        // ELFHeader saw that all of them are within the file.
        let at = file.table + UInt64(index) * Self.size
        guard let type = image.field(at, UInt32.self), let offset = image.field(at + 8, UInt64.self),
            let virtual = image.field(at + 16, UInt64.self), let physical = image.field(at + 24, UInt64.self),
            let fileSize = image.field(at + 32, UInt64.self), let memorySize = image.field(at + 40, UInt64.self),
            let alignment = image.field(at + 48, UInt64.self)
        else {
            throw ImageError(
                .elf, .tooShort(what: "program header \(index)", end: at + Self.size, size: UInt64(image.byteCount)))
        }
        self.type = type
        self.offset = offset
        self.virtual = virtual
        self.physical = physical
        self.fileSize = fileSize
        self.memorySize = memorySize
        self.alignment = alignment
    }

    /// A PT_LOAD's, if it is whole in the file and fits the address space.
    func segment(_ image: RawSpan) throws(ImageError) -> Segment {
        try checkFileRange(image)
        guard memorySize >= fileSize else {
            throw .field(.elf, "p_memsz", memorySize, "p_filesz (0x\(String(fileSize, radix: 16))) or more")
        }
        guard physical <= Layout.highestAddress, memorySize <= Layout.highestAddress - physical else {
            throw .field(.elf, "p_paddr + p_memsz", physical &+ memorySize, "an end within 52 bits of address")
        }
        return Segment(fileOffset: offset, fileSize: fileSize, address: physical, memorySize: memorySize)
    }

    /// The address in the note XEN_ELFNOTE_PHYS32_ENTRY, nil if there is none among a PT_NOTE's notes.
    func entryOfNotes(_ image: RawSpan) throws(ImageError) -> UInt64? {
        try checkFileRange(image)
        let end = offset + fileSize
        // GNU's tools align by eight where the segment does, and by four else.
        let step: UInt64 = alignment == 8 ? 8 : 4
        var at = offset
        while end - at >= 12 {
            guard let nameSize = image.field(at, UInt32.self).map(UInt64.init),
                let size = image.field(at + 4, UInt32.self).map(UInt64.init),
                let type = image.field(at + 8, UInt32.self),
                // Sums of 32-bit sizes and of places in a file: they fit. Alignment counts from the segment's start.
                let content = (at - offset + 12 + nameSize).alignedUp(to: step).map({ $0 + offset }), content <= end,
                size <= end - content
            else {
                throw .field(.elf, "a note's size", at, "notes that end within their segment; this is where it begins")
            }
            // "Xen" with its zero.
            if type == 18, nameSize == 4, image.field(at + 12, UInt32.self) == 0x006E_6558 {
                return try address(image, content, size)
            }
            guard let next = (content - offset + size).alignedUp(to: step).map({ $0 + offset }), next < end else {
                break
            }
            at = next
        }
        return nil
    }

    private func address(_ image: RawSpan, _ at: UInt64, _ size: UInt64) throws(ImageError) -> UInt64 {
        switch size {
        case 4: if let value = image.field(at, UInt32.self) { return UInt64(value) }
        case 8:
            // Entered in 32-bit mode: higher bits have no meaning.
            if let value = image.field(at, UInt64.self), value >> 32 == 0 { return value }
        default: break
        }
        throw .field(.elf, "size of XEN_ELFNOTE_PHYS32_ENTRY", size, "4, or 8 with an address below 4 GiB")
    }

    private func checkFileRange(_ image: RawSpan) throws(ImageError) {
        guard image.contains(offset, count: fileSize) else {
            throw ImageError(
                .elf,
                .tooShort(
                    what: "the segment at p_offset 0x\(String(offset, radix: 16))", end: offset &+ fileSize,
                    size: UInt64(image.byteCount)))
        }
    }
}
