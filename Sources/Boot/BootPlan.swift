// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// All that has to be in guest memory and in the first processor's registers for a kernel to start, as plain data.
public struct BootPlan: Equatable, Sendable {
    /// How the kernel is entered.
    public enum Entry: String, CaseIterable, Sendable {
        case linux64
        case pvh
    }

    /// What the kernel finds on its machine.
    public struct Machine: Sendable {
        /// Bytes of RAM, see `Layout.ram`.
        public var memorySize: UInt64
        /// As `ACPITables` makes them; none is fine for a kernel that is told of its devices otherwise.
        public var acpi: ACPITables?
        /// Whether the guest's processor has pages of 1 GiB.
        public var gigabytePages: Bool

        public init(memorySize: UInt64, acpi: ACPITables? = nil, gigabytePages: Bool = false) {
            self.memorySize = memorySize
            self.acpi = acpi
            self.gigabytePages = gigabytePages
        }
    }

    /// To be copied from the kernel's file.
    public let kernel: [Segment]
    /// Where the initrd's file goes; empty if there is none.
    public let initrd: Range<UInt64>
    /// To be written besides. None overlaps another, the kernel or the initrd.
    public let contents: [Placed]
    public let memory: [MemoryRange]
    public let start: StartState

    /// - Parameters:
    ///   - commandLine: without a zero at its end.
    ///   - initrdSize: 0 if there is none.
    public init(
        _ kernel: KernelImage, on machine: Machine, commandLine: [UInt8], initrdSize: UInt64, entry: Entry = .linux64
    ) throws(BootError) {
        let ram = try Self.roomForKernel(machine)
        let taken = kernel.taken
        guard taken.lowerBound >= ram.lowerBound, taken.upperBound <= ram.upperBound else {
            throw .kernelPlace(taken, ram: ram)
        }
        let initrd = try Self.place(initrdSize, above: taken.upperBound, below: ram.upperBound, kernel)
        let text = try Self.place(commandLine, kernel)
        let memory = MemoryRange.map(memorySize: machine.memorySize)
        let rsdp = machine.acpi?.rsdp ?? 0

        var contents = machine.acpi?.contents ?? []
        contents.append(text)
        contents.append(Placed(ResetVector.code, at: ResetVector.address))
        switch entry {
        case .linux64:
            start = .linux64(entry: kernel.entry64)
            let parameters = BootParams(
                commandLine: Layout.commandLine..<Layout.commandLine + UInt64(commandLine.count), initrd: initrd,
                rsdp: rsdp,
                memory: memory)
            let image: BzImage? = if case .bzImage(let image) = kernel { image } else { nil }
            contents.append(Placed(parameters.bytes(for: image), at: Layout.bootParams))
            let tables = IdentityMap.bytes(at: Layout.pageTables, gigabytePages: machine.gigabytePages)
            contents.append(Placed(tables, at: Layout.pageTables))
        case .pvh:
            guard let address = kernel.entryPVH else { throw .noPVHEntry }
            start = .pvh(entry: address)
            let info = PVHStartInfo(commandLine: Layout.commandLine, initrd: initrd, rsdp: rsdp, memory: memory)
            contents.append(Placed(info.bytes(at: Layout.pvhStartInfo), at: Layout.pvhStartInfo))
        }
        contents.append(Placed(start.gdt, at: Layout.gdt))
        self.kernel = kernel.segments
        self.initrd = initrd
        self.contents = contents
        self.memory = memory
    }

    /// From 1 MiB up to the end of RAM below the gap.
    private static func roomForKernel(_ machine: Machine) throws(BootError) -> Range<UInt64> {
        let size = machine.memorySize
        guard size >= 2 << 20, size <= 1 << 50, size & 0xFFF == 0 else { throw .memorySize(size) }
        if let acpi = machine.acpi, acpi.size > Layout.acpiRoom { throw .acpiSize(acpi.size) }
        return Layout.highMemory..<Layout.ram(size)[0].upperBound
    }

    /// As high as the kernel lets it be, at a page's start.
    private static func place(
        _ size: UInt64, above kernelEnd: UInt64, below ramEnd: UInt64, _ kernel: KernelImage
    ) throws(BootError) -> Range<UInt64> {
        guard size != 0 else { return 0..<0 }
        let end = min(ramEnd, kernel.initrdAddressMax + 1)
        guard end >= kernelEnd, end - kernelEnd >= size, (end - size).alignedDown(to: 4096) >= kernelEnd else {
            throw .initrdSize(size, room: kernelEnd..<max(end, kernelEnd))
        }
        let address = (end - size).alignedDown(to: 4096)
        return address..<address + size
    }

    private static func place(_ commandLine: [UInt8], _ kernel: KernelImage) throws(BootError) -> Placed {
        let limit = Int(min(kernel.commandLineLimit, Layout.commandLineRoom - 1))
        guard commandLine.count <= limit else { throw .commandLineSize(commandLine.count, limit: limit) }
        if let zero = commandLine.firstIndex(of: 0) { throw .commandLineZero(at: zero) }
        return Placed(commandLine + [0], at: Layout.commandLine)
    }
}
