// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Devices
import Testing

@testable import VMM

@Suite struct AddressRangesTests {
    private final class Probe: BusDevice {
        var written: [(offset: UInt64, size: Int, value: UInt64)] = []
        func read(offset: UInt64, size: Int) -> UInt64 { 0xA0 + offset }
        func write(offset: UInt64, size: Int, value: UInt64) { written.append((offset, size, value)) }
    }

    @Test func eachDeviceAnswersForItsAddresses() {
        var ranges = AddressRanges()
        let (low, high) = (Probe(), Probe())
        ranges.add(high, at: 0x70, count: 2)
        ranges.add(low, at: 0x60, count: 5)
        #expect(ranges.read(0x60, size: 1) == 0xA0 && ranges.read(0x64, size: 1) == 0xA4 && ranges.read(0x71, size: 1) == 0xA1)
        ranges.write(0x63, size: 2, value: 7)
        #expect(low.written.count == 1 && low.written[0] == (3, 2, 7) && high.written.isEmpty)
    }

    @Test(arguments: [(1, 0xFF), (2, 0xFFFF), (4, 0xFFFF_FFFF), (8, UInt64.max)])
    func nobodyReadsAsOnes(size: Int, ones: UInt64) {
        var ranges = AddressRanges()
        #expect(ranges.read(0, size: size) == ones)
        let probe = Probe()
        ranges.add(probe, at: 0x60, count: 5)
        for address in [0, 0x5F, 0x65, UInt64.max] {
            #expect(ranges.read(address, size: size) == ones)
            ranges.write(address, size: size, value: 1)
        }
        #expect(probe.written.isEmpty)
    }
}
