// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import TestRandom
import Testing

@testable import Devices

@Suite("virtio-mmio")
struct TransportTests {
    let device = EchoDevice()
    let driver: TestDriver

    init() throws { driver = try TestDriver(device) }

    @Test("what a driver finds before it does anything")
    func identity() {
        #expect(
            driver.get(0x00) == 0x7472_6976 && driver.get(0x04) == 2 && driver.get(0x08) == 63 && driver.get(0x70) == 0)
        #expect(driver.offered == 1 << 3 | 1 << 28 | 1 << 29 | 1 << 32 | 1 << 34)
        driver.put(0x14, 2)
        #expect(driver.get(0x10) == 0)
        let sizes = (0..<4 as Range<UInt32>).map { number in
            driver.put(0x30, number)
            return driver.get(0x34)
        }
        #expect(sizes == [64, 8, 0, 0])
        // No shared memory; a register can't be read in part.
        #expect(driver.get(0xB0) == .max && driver.get(0xBC) == .max)
        #expect(driver.transport.read(offset: 0, size: 2) == 0 && driver.transport.read(offset: 2, size: 4) == 0)
    }

    @Test("features that weren't offered, or too few of them, are not accepted; the driver may try again")
    func features() {
        for wrong in [0, 1 << 3, TestDriver.version1 | 1 << 4, TestDriver.version1 | 1 << 63] as [UInt64] {
            #expect(!driver.agree(wrong) && driver.get(0x70) == 3)
        }
        #expect(driver.agree(TestDriver.version1 | 1 << 3))
        // What is agreed on stays.
        driver.put(0x24, 0)
        driver.put(0x20, 0)
        driver.put(0x70, 15)
        #expect(driver.get(0x70) == 15 && device.link?.features == TestDriver.version1 | 1 << 3)
    }

    @Test(
        "a status out of order is an end",
        arguments: [[4], [8], [1, 2], [1, 3, 7], [1, 3, 11, 15, 11], [1, 3, 1]] as [[UInt32]])
    func order(_ values: [UInt32]) {
        driver.put(0x24, 1)
        driver.put(0x20, 1)
        for value in values { driver.put(0x70, value) }
        #expect(driver.get(0x70) & 64 != 0 && device.link == nil)
        driver.put(0x70, 15)
        #expect(driver.get(0x70) & 64 != 0)
        driver.put(0x70, 0)
        #expect(driver.get(0x70) == 0 && driver.agree(TestDriver.version1))
    }

    @Test("a driver that gives up starts nothing with the same word")
    func failed() {
        #expect(driver.agree(TestDriver.version1))
        driver.put(0x70, 0x8F)
        #expect(driver.get(0x70) == 0x8B && device.link == nil)
        driver.put(0x70, 0)
        #expect(driver.get(0x70) == 0)
    }

    @Test("a reset forgets everything, and the device can be started again")
    func reset() throws {
        try driver.start(0)
        _ = try driver.exchange(0, [try driver.readable([1])])
        #expect(driver.line.level && device.link != nil)
        driver.put(0x70, 0)
        #expect(!driver.line.level && driver.get(0x60) == 0 && device.link == nil)
        driver.put(0x30, 0)
        #expect(driver.get(0x44) == 0)
        driver.notify(0)
        try driver.start(TestDriver.packed)
        #expect(try driver.exchange(0, [try driver.readable([1])]).count == 1)
    }

    @Test("an interrupt stays up until both its reasons are acknowledged, and each is an edge of its own")
    func interrupts() throws {
        try driver.start(0)
        _ = try driver.exchange(0, [try driver.readable([1])])
        #expect(driver.line.level && driver.line.edges == 1 && driver.get(0x60) == 1)
        device.link?.configurationChanged()
        #expect(driver.line.edges == 1 && driver.get(0x60) == 3)
        driver.put(0x64, 1)
        #expect(driver.line.level && driver.line.edges == 2 && driver.get(0x60) == 2)
        driver.put(0x64, 0xFF)
        #expect(!driver.line.level)
    }

    @Test("the configuration space: any width, nothing beyond its end, a generation for each change")
    func configuration() throws {
        try driver.start(0)
        let transport = driver.transport
        #expect(
            transport.read(offset: 0x100, size: 8) == 0x0807_0605_0403_0201
                && transport.read(offset: 0x103, size: 2) == 0x0504)
        #expect(transport.read(offset: 0x106, size: 4) == 0x0807 && transport.read(offset: 0xFFF, size: 8) == 0)
        transport.write(offset: 0x102, size: 2, value: 0xBBAA)
        transport.write(offset: 0x107, size: 2, value: 0xFFFF)
        transport.write(offset: .max, size: 8, value: 1)
        #expect(device.configuration == [1, 2, 0xAA, 0xBB, 5, 6, 7, 8])
        let before = driver.get(0xFC)
        device.link?.configurationChanged()
        #expect(driver.get(0xFC) != before)
    }

    @Test("a queue can be taken away from a running device")
    func disable() throws {
        try driver.start(0)
        driver.put(0x30, 0)
        driver.put(0x44, 0)
        #expect(driver.get(0x44) == 0)
        _ = try driver.rings[0].add([try driver.readable([1])], indirect: false)
        driver.notify(0)
        #expect(try driver.rings[0].takeCompleted().isEmpty && driver.failure.value == nil)
    }

    @Test("any registers with any values: no trap, and a reset makes it whole", arguments: 1...4 as ClosedRange<UInt64>)
    func hostile(_ seed: UInt64) throws {
        var random = Random(seed: seed)
        let offsets: [UInt64] = Array(stride(from: 0, to: 0x110, by: 4))
        for _ in 0..<30_000 {
            let offset = random.oneIn(10) ? random.interesting() : random.pick(offsets)
            var value = random.interesting()
            switch random.below(4) {
            // Often enough something that gets on.
            case 0: driver.put(0x70, random.pick([0, 1, 3, 11, 15]))
            case 1: value = GuestRAM.base + random.below(0x1000) * 16
            default: break
            }
            driver.transport.write(offset: offset, size: random.pick([1, 2, 4, 4, 4, 8]), value: value)
            _ = driver.transport.read(offset: offset, size: random.pick([1, 2, 4, 8]))
        }
        try driver.start(0)
        #expect(try driver.exchange(0, [try driver.readable([1])]).count == 1)
    }
}
