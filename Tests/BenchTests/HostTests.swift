// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Bench

@Suite("What /proc tells")
struct HostTests {
    private static let meminfo = """
        MemTotal:         477732 kB
        MemFree:          300000 kB
        AnonPages:          1000 kB
        Slab:              20000 kB
        HugePages_Total:       0

        """

    private static let zoneinfo = """
        Node 0, zone    DMA32
          pages free     92000
              nr_zone_inactive_anon 3
          pagesets
            cpu: 0
                      count:    500
                      high:     1310
            cpu: 1
                      count:    20
                      high:     1310

        """

    @Test func memory() throws {
        let before = try #require(MemoryUse(meminfo: Self.meminfo, zoneinfo: Self.zoneinfo, loadavg: "0.00 0.01 0.05 1/93 812\n"))
        let later = Self.meminfo.replacing("300000", with: "290000").replacing("20000", with: "23500")
        let after = try #require(MemoryUse(meminfo: later, zoneinfo: Self.zoneinfo.replacing("500", with: "100"), loadavg: "0.00 0.01 0.05 2/95 820\n"))
        #expect(after.used(since: before) == 11_600)
        #expect(after.growth("Slab", since: before) == 3_500 && after.growth("AnonPages", since: before) == 0)
        #expect(before.threads == 93 && after.threads == 95)
    }

    @Test("half a text is none")
    func broken() {
        #expect(MemoryUse(meminfo: "", zoneinfo: "", loadavg: "0 0 0 1/93 812") == nil)
        #expect(MemoryUse(meminfo: Self.meminfo, zoneinfo: "", loadavg: "0.00 0.01") == nil)
        #expect(MemoryUse(meminfo: Self.meminfo, zoneinfo: "", loadavg: "0 0 0 x/y 1") == nil)
    }

    @Test("a device's modules, not others whose names begin like theirs")
    func modules() {
        let modules = """
            kvm_intel 385024 0 - Live 0x0000000000000000
            kvm 1142784 1 kvm_intel, Live 0x0000000000000000
            kvm_other 4096 0 - Live 0x0
            likex 122880 2 - Live 0x0000000000000000 (OE)

            """
        #expect(ModuleSize.loaded(ModuleSize.names("/dev/kvm"), in: modules) == 1_527_808)
        #expect(ModuleSize.loaded(ModuleSize.names("/dev/rust_kvm"), in: modules) == 122_880)
        #expect(ModuleSize.loaded(["likex"], in: "kvm 1 0 - Live 0x0\n") == nil)
        #expect(ModuleSize.names("sim").isEmpty)
    }

    @Test("no figures where there is no /proc, and a reason")
    func withoutProc() {
        let host = BenchHost(read: { _ in nil }, bytes: { _ in nil }, openFiles: { nil })
        #expect(host.kernel == "?" && host.memoryUse() == nil)
        let module = ModuleSize(device: BenchDevice(path: "/dev/kvm"), host: host).measure()
        #expect(module.map(\.value) == [nil] && module[0].unsupported?.contains("/dev/kvm") == true)
    }

    @Test("a module's file: code, constants and data, nothing of its start")
    func image() throws {
        let sections: [(name: String, flags: UInt8, size: UInt8)] = [
            (".text", 6, 100), (".text.more", 6, 20), (".init.text", 6, 50), (".rodata", 2, 7), (".data", 3, 9),
            (".bss", 3, 1), (".comment", 0, 200),
        ]
        let file = Self.elf(sections)
        let image = try #require(ModuleImage(file))
        #expect(image.text == 120 && image.readOnly == 7 && image.data == 10)
        for length in 0..<file.count - 24 { #expect(ModuleImage([UInt8](file.prefix(length))) == nil) }
        #expect(ModuleImage([0] + file) == nil)
    }

    /// The header, the sections' names from byte 64 on, and the sections' headers; the last is that of the names.
    private static func elf(_ sections: [(name: String, flags: UInt8, size: UInt8)]) -> [UInt8] {
        func little(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        var names: [UInt8] = []
        var headers: [UInt8] = []
        func header(_ name: Int, _ flags: UInt8, _ offset: Int, _ size: Int) {
            headers += little(name, 4) + little(1, 4) + little(Int(flags), 8) + little(0, 8) + little(offset, 8)
            headers += little(size, 8) + [UInt8](repeating: 0, count: 24)
        }
        for section in sections {
            header(names.count, section.flags, 0, Int(section.size))
            names += section.name.utf8 + [0]
        }
        header(names.count, 0, 64, names.count)
        names += ".shstrtab".utf8 + [0]
        var start: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1] + [UInt8](repeating: 0, count: 34)
        start += little(64 + names.count, 8) + [UInt8](repeating: 0, count: 10)
        start += little(64, 2) + little(sections.count + 1, 2) + little(sections.count, 2)
        return start + names + headers
    }

    @Test("the files of a device's modules")
    func files() {
        let dependencies = """
            kernel/arch/x86/kvm/kvm.ko: kernel/virt/lib/irqbypass.ko
            kernel/arch/x86/kvm/kvm-intel.ko: kernel/arch/x86/kvm/kvm.ko
            kernel/arch/x86/kvm/kvm-amd.ko.xz: kernel/arch/x86/kvm/kvm.ko
            extra/likex.ko:

            """
        #expect(
            ModuleSize.files(["kvm", "kvm_intel"], in: dependencies) == [
                "kernel/arch/x86/kvm/kvm.ko", "kernel/arch/x86/kvm/kvm-intel.ko",
            ])
        #expect(ModuleSize.files(["likex"], in: dependencies) == ["extra/likex.ko"])
        #expect(ModuleSize.files(["kvm_amd"], in: dependencies) == ["kernel/arch/x86/kvm/kvm-amd.ko.xz"])
    }
}
