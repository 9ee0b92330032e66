// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestMachine
import Testing

@Suite("The test machine's ports")
struct PortsTests {
    @Test func output() {
        var ports = Ports()
        #expect(ports.write(0x3f8, [0x34], size: 1) == .none)
        #expect(ports.write(0x3f8, [0x35, 0x36], size: 2) == .none)
        #expect(ports.output == [0x34, 0x35, 0x36])
    }

    @Test("the status is what was written, of whatever size")
    func status() {
        var ports = Ports()
        #expect(ports.write(0xf4, [0x07], size: 1) == .end(status: 7))
        #expect(ports.write(0xf4, [0x78, 0x56, 0x34, 0x12], size: 4) == .end(status: 0x1234_5678))
    }

    @Test("interrupts queue in order, one for each item; NMI is an action")
    func interrupts() {
        var ports = Ports()
        #expect(ports.write(0xe0, [0x20], size: 1) == .none)
        #expect(ports.write(0xe0, [0x21, 0, 0x22, 0], size: 2) == .none)
        #expect(ports.interrupts == [0x20, 0x21, 0x22])
        #expect(ports.write(0xe1, [0], size: 1) == .nmi)
    }

    @Test("input counts every byte but the line status")
    func input() {
        var ports = Ports()
        #expect(ports.read(0x10, count: 2) == [0xa0, 0xa7])
        #expect(ports.read(0x3fd, count: 1) == [0x20])
        #expect(ports.read(0x99, count: 1) == [0xae])
        _ = ports.read(0x10, count: 1000)
        #expect(ports.read(0x10, count: 1) == [UInt8(truncatingIfNeeded: 0xa0 + 7 * 1003)])
    }

    @Test func loads() {
        #expect(Ports.load(0x1234, count: 2) == [0x7c, 0x7d])
        #expect(Ports.load(UInt64.max, count: 2) == [0x5a, 0x5a])
    }
}
