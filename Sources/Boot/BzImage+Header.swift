// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension BzImage {
    /// The setup header's bytes, once they are known to be one of version 2.12's size or more.
    static func header(of image: RawSpan) throws(ImageError) -> [UInt8] {
        let size = UInt64(image.byteCount)
        guard image.contains(0, count: SetupHeader.endOf212) else {
            throw ImageError(.bzImage, .tooShort(what: "the setup header", end: SetupHeader.endOf212, size: size))
        }
        let flag = field(image, SetupHeader.bootFlag, UInt16.self)
        guard flag == SetupHeader.bootFlagValue else {
            throw .field(.bzImage, "boot_flag", flag, "0xaa55, which every bzImage has at 0x1fe")
        }
        let magic = field(image, SetupHeader.magic, UInt32.self)
        guard magic == SetupHeader.magicValue else {
            throw .field(.bzImage, "header", magic, "0x53726448 (HdrS), which every bzImage has at 0x202")
        }
        let version = field(image, SetupHeader.version, UInt16.self)
        guard version >= 0x20C else {
            throw .field(
                .bzImage, "version", version, "0x20c or later, whose kernels (3.8 on) tell of a 64-bit entry point")
        }
        let end = SetupHeader.magic + UInt64(field(image, SetupHeader.jumpDistance, UInt8.self))
        guard end >= SetupHeader.endOf212, end <= SetupHeader.limit else {
            throw .field(
                .bzImage, "jump", end - SetupHeader.magic, "from 0x62 to 0x8e, the sizes that a setup header can have")
        }
        guard let bytes = image.bytes(SetupHeader.start, count: end - SetupHeader.start) else {
            throw ImageError(.bzImage, .tooShort(what: "the setup header", end: end, size: size))
        }
        return bytes
    }

    /// A field within the header, whose place is known to be in the image.
    static func field<T: FixedWidthInteger & BitwiseCopyable>(_ image: RawSpan, _ offset: UInt64, _ type: T.Type) -> T {
        guard let value = image.field(offset, type) else {
            preconditionFailure("0x\(offset) is behind the setup header")
        }
        return value
    }

    static func check(_ image: RawSpan, _ version: UInt16) throws(ImageError) {
        let flags = field(image, SetupHeader.loadFlags, UInt8.self)
        guard flags & SetupHeader.loadedHigh != 0 else {
            throw .field(.bzImage, "loadflags", flags, "bit 0 (LOADED_HIGH): this is a zImage, for below 640 KiB")
        }
        let extended = field(image, SetupHeader.extendedFlags, UInt16.self)
        guard extended & SetupHeader.has64BitEntry != 0 else {
            throw .field(.bzImage, "xloadflags", extended, "bit 0 (XLF_KERNEL_64): a kernel with a 64-bit entry point")
        }
    }

    static func protectedMode(of image: RawSpan, from setupSize: UInt64) throws(ImageError) -> Range<UInt64> {
        let size = UInt64(image.byteCount)
        let paragraphs = UInt64(field(image, SetupHeader.sizeInParagraphs, UInt32.self))
        // The size is rounded up to 16, the file need not be.
        let end = setupSize + paragraphs * 16
        guard paragraphs * 16 > 0x200 else {
            throw .field(
                .bzImage, "syssize", paragraphs,
                "more than 0x20: the 64-bit entry point is 0x200 bytes behind its start")
        }
        guard size > setupSize + 0x200, size > end - 16 else {
            throw ImageError(.bzImage, .tooShort(what: "the protected-mode part (syssize)", end: end, size: size))
        }
        return setupSize..<min(end, size)
    }

    static func payload(of image: RawSpan, within part: Range<UInt64>) throws(ImageError) -> Range<UInt64>? {
        let offset = UInt64(field(image, SetupHeader.payloadOffset, UInt32.self))
        let size = UInt64(field(image, SetupHeader.payloadSize, UInt32.self))
        guard size != 0 else { return nil }
        let start = part.lowerBound + offset
        guard start + size <= part.upperBound else {
            throw .field(
                .bzImage, "payload_offset + payload_length", offset + size,
                "at most 0x\(String(part.count, radix: 16)), the protected-mode part's size")
        }
        return start..<start + size
    }

    /// The text that the header points to, in the setup part; what isn't text there is left out.
    static func release(of image: RawSpan, setupSize: UInt64) -> String? {
        let pointer = UInt64(field(image, SetupHeader.releaseString, UInt16.self))
        guard pointer != 0 else { return nil }
        var text = ""
        for offset in (pointer + 0x200)..<setupSize.clamped(to: pointer + 0x200, and: pointer + 0x200 + 256) {
            guard let byte = image.field(offset, UInt8.self), byte >= 0x20, byte < 0x7F else { break }
            text.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return text.isEmpty ? nil : text
    }
}

extension UInt64 {
    fileprivate func clamped(to lowest: UInt64, and highest: UInt64) -> UInt64 {
        Swift.min(Swift.max(self, lowest), highest)
    }
}
