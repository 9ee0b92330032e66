// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Linux's boot_params, "the zero page": what a boot loader tells a kernel that is entered by the 64-bit protocol.
/// Linux, Documentation/arch/x86/zero-page.rst and boot.rst.
public struct BootParams: Sendable {
    static let size = 4096

    public var commandLine: Range<UInt64>
    /// Empty: there is none.
    public var initrd: Range<UInt64>
    public var rsdp: UInt64
    public var memory: [MemoryRange]

    public init(commandLine: Range<UInt64>, initrd: Range<UInt64>, rsdp: UInt64, memory: [MemoryRange]) {
        self.commandLine = commandLine
        self.initrd = initrd
        self.rsdp = rsdp
        self.memory = memory
    }

    /// - Parameter image: whose setup header is handed on; nil for a vmlinux, which has none: the kernel then gets one
    ///   that says what a loader has to say.
    /// - Precondition: the memory map has 128 rows at most.
    public func bytes(for image: BzImage?) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: Self.size)
        if let image {
            page.put(image.header, at: Int(SetupHeader.start))
        } else {
            page.put(SetupHeader.bootFlagValue, at: Int(SetupHeader.bootFlag))
            page.put(SetupHeader.magicValue, at: Int(SetupHeader.magic))
            page.put(UInt16(0x20C), at: Int(SetupHeader.version))
            page.put(SetupHeader.loadedHigh, at: Int(SetupHeader.loadFlags))
        }
        // "Undefined", a loader without an assigned number.
        page.put(UInt8(0xFF), at: Int(SetupHeader.loaderType))
        // No heap: the real-mode code, which would use it, never runs.
        page[Int(SetupHeader.loadFlags)] &= ~SetupHeader.canUseHeap
        page.put(UInt16(0xFFFF), at: Int(SetupHeader.videoMode))
        put(commandLine.lowerBound, low: SetupHeader.commandLineAddress, high: Offset.commandLineAddressHigh, to: &page)
        if !initrd.isEmpty {
            put(initrd.lowerBound, low: SetupHeader.initrdAddress, high: Offset.initrdAddressHigh, to: &page)
            put(
                initrd.upperBound - initrd.lowerBound, low: SetupHeader.initrdSize, high: Offset.initrdSizeHigh,
                to: &page)
        }
        page.put(rsdp, at: Offset.rsdp)
        precondition(memory.count <= 128, "boot_params has room for 128 rows of the memory map")
        page.put(UInt8(memory.count), at: Offset.memoryCount)
        for (index, range) in memory.enumerated() {
            page.put(range.address, at: Offset.memory + 20 * index)
            page.put(range.size, at: Offset.memory + 20 * index + 8)
            page.put(range.kind.rawValue, at: Offset.memory + 20 * index + 16)
        }
        return page
    }

    /// A number whose halves are apart: the upper ones came with kernels that look above 4 GiB.
    private func put(_ value: UInt64, low: UInt64, high: Int, to page: inout [UInt8]) {
        page.put(UInt32(truncatingIfNeeded: value), at: Int(low))
        page.put(UInt32(truncatingIfNeeded: value >> 32), at: high)
    }

    private enum Offset {
        static let rsdp = 0x70
        static let initrdAddressHigh = 0xC0
        static let initrdSizeHigh = 0xC4
        static let commandLineAddressHigh = 0xC8
        static let memoryCount = 0x1E8
        static let memory = 0x2D0
    }
}
