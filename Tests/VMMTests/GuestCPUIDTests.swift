// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import Testing

@testable import VMM

@Suite struct GuestCPUIDTests {
    private func entry(_ function: UInt32, eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0) -> kvm_cpuid_entry2 {
        var entry = kvm_cpuid_entry2()
        (entry.function, entry.eax, entry.ebx, entry.ecx, entry.edx) = (function, eax, ebx, ecx, edx)
        return entry
    }

    /// As a device with a deadline timer and leaf 0xB of its own host would tell.
    private var supported: CPUIDTable {
        CPUIDTable(entries: [
            entry(0, eax: 0x1F), entry(1, eax: 0x50654, ebx: 0x1F20_0800, ecx: 0x2000, edx: 0xBFFF_FFFF),
            entry(4, eax: 0xFC00_4121), entry(0xB, ebx: 99, edx: 31), entry(0x1F, edx: 31),
        ])
    }

    @Test(arguments: [(1, 0), (2, 1), (3, 2), (4, 2), (64, 6)])
    func eachProcessorHasItsOwnID(processors: Int, bits: UInt32) throws {
        for id in 0..<UInt32(processors) {
            let table = supported.guest(apicID: id, of: processors, hasDeadlineTimer: true, tscKHz: 50_000)
            let one = try #require(table[1, 0])
            #expect(one.ebx == id << 24 | UInt32(processors) << 16 | 0x0800)
            #expect(one.ecx == 0x2000 | 1 << 24 | 1 << 31)
            #expect((one.edx >> 28 & 1 == 1) == (processors > 1))
            let core = try #require(table[0xB, 1])
            #expect(core.eax == bits && core.ebx == UInt32(processors) && core.ecx == 0x201 && core.edx == id)
            let thread = try #require(table[0xB, 0])
            #expect(thread.eax == 0 && thread.ebx == 1 && thread.ecx == 0x100 && thread.edx == id)
            #expect(table[0x1F, 0] == nil)
            let clock = try #require(table[0x15, 0])
            #expect(UInt64(clock.ecx) * UInt64(clock.ebx) / UInt64(clock.eax) == 50_000_000)
            #expect(table.entries.filter { $0.function == 0xB }.count == 3)
        }
    }

    @Test(arguments: [1_000, 50_000, 999_999, 1_000_000, 2_399_998, 2_400_000, 3_791_234, 4_294_000] as [UInt32])
    func theCounterIsFoundIn32Bits(kilohertz: UInt32) {
        let ratio = CPUIDTable.ratio(kilohertz)
        // As Linux's native_calibrate_tsc does it.
        let (product, overflow) = UInt32(1_000_000).multipliedReportingOverflow(by: ratio.numerator)
        #expect(!overflow)
        #expect(abs(Double(product / ratio.denominator) / Double(kilohertz) - 1) < 1e-5, "\(ratio)")
    }

    @Test func noDeadlineTimerWithoutOne() throws {
        let one = try #require(supported.guest(apicID: 0, of: 1, hasDeadlineTimer: false, tscKHz: 0)[1, 0])
        #expect(supported.guest(apicID: 0, of: 1, hasDeadlineTimer: false, tscKHz: 0)[0x15, 0] == nil)
        #expect(one.ecx >> 24 & 1 == 0 && one.ecx >> 31 == 1)
    }
}
