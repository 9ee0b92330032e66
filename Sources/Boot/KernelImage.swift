// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A kernel in any of the forms that can be started.
public enum KernelImage: Equatable, Sendable {
    case bzImage(BzImage)
    case elf(ELFKernel)

    /// - Parameter image: the whole file; nothing of it is kept but a bzImage's setup header.
    public init(_ image: RawSpan) throws(ImageError) {
        if ELFKernel.isELF(image) {
            self = .elf(try ELFKernel(image))
        } else if BzImage.isBzImage(image) {
            self = .bzImage(try BzImage(image))
        } else {
            throw ImageError(
                .unknown, .lacks("neither a bzImage (HdrS at byte 0x202) nor an ELF file (\\x7fELF at its start)"))
        }
    }

    /// What is to be copied from the file to guest memory.
    public var segments: [Segment] {
        switch self {
        case .bzImage(let image): [image.placement.segment]
        case .elf(let kernel): kernel.segments
        }
    }

    /// Addresses that the kernel uses before it has read the memory map.
    public var taken: Range<UInt64> {
        switch self {
        case .bzImage(let image): image.placement.taken
        case .elf(let kernel): kernel.taken
        }
    }

    /// Entered in long mode with boot_params in RSI.
    public var entry64: UInt64 {
        switch self {
        case .bzImage(let image): image.placement.entry64
        case .elf(let kernel): kernel.entry64
        }
    }

    /// Entered in protected mode with PVH's start info in EBX, where the kernel offers that.
    public var entryPVH: UInt64? {
        if case .elf(let kernel) = self { kernel.entryPVH } else { nil }
    }

    /// The longest command line, without the zero at its end. Linux's is 2,048 with it, which a vmlinux doesn't tell.
    public var commandLineLimit: UInt64 {
        if case .bzImage(let image) = self, image.commandLineLimit > 0 { image.commandLineLimit } else { 2047 }
    }

    /// The highest address that a byte of the initrd may have. What no header says, Linux's own 2 GiB.
    public var initrdAddressMax: UInt64 {
        if case .bzImage(let image) = self { image.initrdAddressMax } else { 0x7FFF_FFFF }
    }
}
