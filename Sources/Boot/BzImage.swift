// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A Linux bzImage: what its setup header says, checked. Nothing of the image is copied but that header.
///
/// Only what the 64-bit entry point needs is taken: boot protocol 2.12 (Linux 3.8) or later, loaded high.
/// Linux, Documentation/arch/x86/boot.rst.
public struct BzImage: Equatable, Sendable {
    /// The boot protocol's, such as 0x20F for 2.15.
    public let version: UInt16
    /// The setup header's bytes as in the file, for boot_params at offset 0x1F1.
    public let header: [UInt8]
    /// The protected-mode part, in the file.
    public let protectedMode: Range<UInt64>
    /// The compressed kernel, in the file; nil if the header doesn't say.
    public let payload: Range<UInt64>?
    /// What `uname -r` and more would say, if the image tells.
    public let release: String?
    /// Bytes that the kernel needs from where it runs until it has read the memory map.
    public let initSize: UInt64
    public let preferredAddress: UInt64
    /// Of the address where it runs, if it can be moved: a power of two.
    public let alignment: UInt64
    public let isRelocatable: Bool
    /// The longest command line, without the zero at its end.
    public let commandLineLimit: UInt64
    /// The highest address that a byte of the initrd may have.
    public let initrdAddressMax: UInt64

    /// What Linux takes for one at 0x202, and a sentence for those who meant another file.
    static func isBzImage(_ image: RawSpan) -> Bool {
        image.field(SetupHeader.magic, UInt32.self) == SetupHeader.magicValue
    }

    public init(_ image: RawSpan) throws(ImageError) {
        header = try Self.header(of: image)
        // From here on `field` can't fail: `header` ends at or behind the last of them.
        let version = Self.field(image, SetupHeader.version, UInt16.self)
        try Self.check(image, version)
        self.version = version

        let sectors = UInt64(Self.field(image, SetupHeader.setupSectors, UInt8.self))
        // Zero means four: "for backwards compatibility".
        let setupSize = ((sectors == 0 ? 4 : sectors) + 1) * 512
        protectedMode = try Self.protectedMode(of: image, from: setupSize)
        payload = try Self.payload(of: image, within: protectedMode)
        release = Self.release(of: image, setupSize: setupSize)

        isRelocatable = Self.field(image, SetupHeader.isRelocatable, UInt8.self) != 0
        alignment = UInt64(Self.field(image, SetupHeader.alignment, UInt32.self))
        preferredAddress = Self.field(image, SetupHeader.preferredAddress, UInt64.self)
        initSize = UInt64(Self.field(image, SetupHeader.initSize, UInt32.self))
        commandLineLimit = UInt64(Self.field(image, SetupHeader.commandLineLimit, UInt32.self))
        initrdAddressMax = UInt64(Self.field(image, SetupHeader.initrdAddressMax, UInt32.self))
        if isRelocatable && !alignment.isPowerOfTwo {
            throw .field(.bzImage, "kernel_alignment", alignment, "a power of two")
        }
        // A page at its end remains representable, whatever is aligned.
        if preferredAddress > Self.highest {
            throw .field(.bzImage, "pref_address", preferredAddress, "an address below 4 GiB")
        }
    }

    /// Where the kernel is put and where it runs, which differ for one that moves itself.
    public struct Placement: Equatable, Sendable {
        /// The protected-mode part.
        public let segment: Segment
        /// What the kernel needs for itself, from where it runs.
        public let needed: Range<UInt64>
        /// In long mode, with boot_params in RSI.
        public var entry64: UInt64 { segment.address + 0x200 }
        /// All that nothing else may lie in.
        public var taken: Range<UInt64> {
            min(segment.address, needed.lowerBound)..<max(segment.end, needed.upperBound)
        }
    }

    /// Puts it where it would like to be: it need not move itself then.
    public var placement: Placement {
        let size = UInt64(protectedMode.count)
        // Both are below 2^32 + 2^32: nothing here can overflow.
        let aligned = isRelocatable ? preferredAddress.alignedUp(to: alignment) ?? preferredAddress : preferredAddress
        let runs = max(
            aligned, isRelocatable ? Layout.highMemory.alignedUp(to: alignment) ?? aligned : Layout.highMemory)
        let needed = runs..<runs + max(initSize, size)
        let loaded = isRelocatable ? runs : Layout.highMemory
        return Placement(
            segment: Segment(
                fileOffset: protectedMode.lowerBound, fileSize: size, address: loaded,
                memorySize: isRelocatable ? UInt64(needed.count) : size),
            needed: needed)
    }

    private static let highest: UInt64 = 0xFFFF_FFFF
}
