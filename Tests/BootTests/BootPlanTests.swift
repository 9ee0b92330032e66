// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Boot

@Suite("A start is planned")
struct BootPlanTests {
    static let mib: UInt64 = 1 << 20

    private func plan(
        memory: UInt64 = 64 * mib, commandLine: String = "console=ttyS0", initrd: UInt64 = 0x1234, devices: Int = 3,
        entry: BootPlan.Entry = .linux64, _ kernel: KernelImage? = nil
    ) throws -> BootPlan {
        let virtio = (0..<devices).map {
            Board.VirtioDevice(
                address: UInt32(Layout.virtio) + UInt32($0) << 12, gsi: Layout.freeGSIs[$0 % 17], trigger: .edge)
        }
        let machine = BootPlan.Machine(memorySize: memory, acpi: ACPITables(Board(processors: 64, virtio: virtio)))
        let elf = KernelImage.elf(try SmallELF().parse())
        let image = try kernel ?? (entry == .pvh ? elf : .bzImage(SmallBzImage().parse()))
        return try BootPlan(image, on: machine, commandLine: Array(commandLine.utf8), initrdSize: initrd, entry: entry)
    }

    private func content(_ plan: BootPlan, at address: UInt64) throws -> [UInt8] {
        try #require(plan.contents.first { $0.address == address }).bytes
    }

    @Test(
        "nothing overlaps anything, and all is in RAM that the kernel doesn't take for its own",
        arguments: BootPlan.Entry.allCases)
    func disjoint(_ entry: BootPlan.Entry) throws {
        for memory in [32 * Self.mib, 3072 * Self.mib, 3073 * Self.mib, 65536 * Self.mib] {
            let plan = try plan(
                memory: memory, commandLine: String(repeating: "x", count: 2047), devices: 200, entry: entry)
            let ranges = (plan.contents.map(\.range) + plan.kernel.map(\.range) + [plan.initrd]).sorted {
                $0.lowerBound < $1.lowerBound
            }
            for (one, next) in zip(ranges, ranges.dropFirst()) { #expect(one.upperBound <= next.lowerBound) }
            #expect(ranges.last!.upperBound <= min(memory, Layout.gap))
            let low = ranges.filter { $0.lowerBound < Layout.highMemory }
            #expect(
                low.allSatisfy {
                    $0.upperBound <= Layout.ebda || $0.lowerBound >= Layout.acpi && $0.upperBound <= Layout.highMemory
                })
        }
    }

    static let highest: [(UInt64, UInt64)] = [
        (64 * mib, 0x3FF_E000), (3072 * mib, 0x7FFF_E000), (8192 * mib, 0x7FFF_E000),
    ]

    @Test("the initrd is as high as the kernel lets it be, or where RAM ends", arguments: highest)
    func initrd(_ memory: UInt64, _ address: UInt64) throws {
        #expect(try plan(memory: memory).initrd == address..<address + 0x1234)
        #expect(try plan(memory: memory, initrd: 0).initrd.isEmpty)
    }

    @Test("what doesn't fit is told with the room that there is")
    func tooLarge() throws {
        // The kernel ends at 20 MiB.
        #expect(try plan(memory: 24 * Self.mib, initrd: 4 * Self.mib).initrd == 20 * Self.mib..<24 * Self.mib)
        for size in [4 * Self.mib + 1, 100 * Self.mib, .max] {
            #expect(throws: BootError.initrdSize(size, room: 20 * Self.mib..<24 * Self.mib)) {
                try plan(memory: 24 * Self.mib, initrd: size)
            }
        }
        #expect(throws: BootError.kernelPlace(16 * Self.mib..<20 * Self.mib, ram: Self.mib..<19 * Self.mib)) {
            try plan(memory: 19 * Self.mib)
        }
        for size in [0, 4096, 64 * Self.mib + 1, .max] {
            #expect(throws: BootError.memorySize(size)) { try plan(memory: size) }
        }
        #expect(throws: BootError.commandLineSize(2048, limit: 2047)) {
            try plan(commandLine: String(repeating: "x", count: 2048))
        }
        #expect(throws: BootError.commandLineZero(at: 1)) { try plan(commandLine: "a\0b") }
        #expect(throws: BootError.noPVHEntry) { try plan(entry: .pvh, .bzImage(SmallBzImage().parse())) }
        #expect(throws: BootError.self) { try plan(devices: 4000) }
        let low = SmallELF().with(UInt64(0xF_F000), at: SmallELF.code + 24).with(UInt64(0xF_F000), at: 24)
        #expect(throws: BootError.kernelPlace(0xF_F000..<0x120_2000, ram: Self.mib..<64 * Self.mib)) {
            try plan(.elf(low.with(UInt32(0), at: SmallELF.note).parse()))
        }
    }

    @Test("boot_params says what a loader has to say")
    func bootParams() throws {
        let image = try SmallBzImage().parse()
        let page = try content(try plan(memory: 8192 * Self.mib), at: Layout.bootParams)
        func field<T: FixedWidthInteger & BitwiseCopyable>(_ offset: UInt64, _ type: T.Type) -> T? {
            page.field(offset, type)
        }
        #expect(page.count == 4096)
        // The header as in the image but for what is the loader's.
        var header = image.header
        header[0x1FA - 0x1F1] = 0xFF
        header[0x1FB - 0x1F1] = 0xFF
        header[0x210 - 0x1F1] = 0xFF
        header[0x211 - 0x1F1] = 1
        header.put(UInt32(0x7FFF_E000), at: 0x218 - 0x1F1)
        header.put(UInt32(0x1234), at: 0x21C - 0x1F1)
        header.put(UInt32(0x2_0000), at: 0x228 - 0x1F1)
        #expect(Array(page[0x1F1..<0x1F1 + header.count]) == header)
        #expect(field(0x70, UInt64.self) == Layout.acpi)
        #expect(field(0xC0, UInt32.self) == 0 && field(0xC4, UInt32.self) == 0 && field(0xC8, UInt32.self) == 0)
        #expect(field(0x1E8, UInt8.self) == 5 && field(0x1EF, UInt8.self) == 0)
        #expect(
            field(0x2D0, UInt64.self) == 0 && field(0x2D8, UInt64.self) == 0x9FC00 && field(0x2E0, UInt32.self) == 1)
        #expect(field(0x2D0 + 80, UInt64.self) == 1 << 32 && field(0x2D8 + 80, UInt64.self) == 5 << 30)
        #expect(field(0x2E0 + 40, UInt32.self) == 3)
    }

    @Test("a guest that jumps to the BIOS's first instruction writes the reset register", arguments: BootPlan.Entry.allCases)
    func resetVector(_ entry: BootPlan.Entry) throws {
        let code = try content(try plan(entry: entry), at: 0xF_FFF0)
        #expect(code.starts(with: [0xBA, 0x02, 0x06, 0xB0, 0x01, 0xEE]) && Layout.resetPort == 0x602 && Layout.resetValue == 1)
        #expect(code.count <= 16)
    }

    @Test("halves of numbers above 4 GiB are both told")
    func above4GiB() throws {
        let parameters = BootParams(
            commandLine: 0x1_2345_6000..<0x1_2345_6010, initrd: 0x2_0000_1000..<0x4_0000_2000, rsdp: 0, memory: [])
        let page = parameters.bytes(for: nil)
        func field(_ offset: UInt64) -> UInt32? { page.field(offset) }
        #expect(field(0x228) == 0x2345_6000 && field(0xC8) == 1)
        #expect(field(0x218) == 0x1000 && field(0xC0) == 2 && field(0x21C) == 0x1000 && field(0xC4) == 2)
        // A vmlinux brings no header: the least that one says.
        #expect(
            field(0x202) == 0x5372_6448 && field(0x1FC).map { $0 >> 16 } == 0xAA55 && page[0x210] == 0xFF
                && page[0x211] == 1)
    }

    @Test("PVH's start info and what it points to")
    func pvh() throws {
        let plan = try plan(entry: .pvh)
        let info = try content(plan, at: Layout.pvhStartInfo)
        func word(_ offset: UInt64) -> UInt64? { info.field(offset) }
        #expect(word(0) == 0x1_336E_C578 && word(8) == 1 << 32)
        #expect(word(16) == Layout.pvhStartInfo + 56 && word(24) == Layout.commandLine && word(32) == Layout.acpi)
        #expect(word(40) == Layout.pvhStartInfo + 88 && word(48) == 4)
        #expect(word(56) == plan.initrd.lowerBound && word(64) == 0x1234)
        #expect(word(88) == 0 && word(96) == 0x9FC00 && word(104) == 1)
        #expect(word(88 + 72) == Self.mib && word(96 + 72) == 63 * Self.mib && info.count == 88 + 4 * 24)
        #expect(plan.start.rip == 0x100_0020 && plan.start.rbx == Layout.pvhStartInfo && plan.start.cr0 == 0x31)
        #expect(plan.start.efer == 0 && plan.start.cr4 == 0 && plan.start.code.isBig && !plan.start.code.isLong)
    }

    @Test(
        "the map of memory has RAM where it is, and all of it but the hole below 1 MiB",
        arguments: [2, 3072, 3073, 1 << 20])
    func memoryMap(_ mebibytes: UInt64) {
        let size = mebibytes * Self.mib
        let map = MemoryRange.map(memorySize: size)
        let ram = map.filter { $0.kind == .ram }
        #expect(ram.map(\.size).reduce(0, +) == size - (Self.mib - Layout.ebda))
        #expect(
            ram.allSatisfy { range in
                Layout.ram(size).contains { $0.lowerBound <= range.address && range.range.upperBound <= $0.upperBound }
            })
        for (one, next) in zip(map, map.dropFirst()) { #expect(one.range.upperBound <= next.address) }
    }
}
