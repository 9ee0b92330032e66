// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import Testing

@testable import Devices

@Suite("virtio-balloon")
struct BalloonTests {
    let device = Balloon()
    let driver: TestDriver

    init() throws { driver = try TestDriver(device) }

    func numbers(_ pages: [UInt32]) -> [UInt8] { pages.reduce(into: []) { $0.append(little: $1) } }

    @Test("inflated pages are the host's: they read as zero, their neighbours don't")
    func inflate() throws {
        try driver.start(0)
        let area = driver.ram.allocate(4096 * 8, alignment: 4096)
        try driver.ram.memory.fill(area, count: 4096 * 8, 0xAB)
        let first = UInt32(area / 4096)
        #expect(
            try driver.exchange(0, [try driver.readable(numbers([first + 1, first + 2, first + 5, 0, .max]))]).count
                == 1)
        let bytes = try (0..<8 as Range<UInt64>).map {
            try driver.ram.memory.load(area + 4096 * $0 + 7, as: UInt8.self)
        }
        #expect(bytes == [0xAB, 0, 0, 0xAB, 0xAB, 0, 0xAB, 0xAB])
        #expect(device.discarded == 3 * 4096)
        #expect(try driver.exchange(1, [try driver.readable(numbers([first + 1]))]).count == 1)
        #expect(try driver.exchange(0, [try driver.readable([1, 2, 3])]).count == 1)
        #expect(driver.failure.value == nil)
    }

    @Test("a target is told to the driver, whose answer is told to the host")
    func target() throws {
        let told = Box<[UInt32]>([])
        device.onActual = { told.value.append($0) }
        try driver.start(0)
        device.setTarget(pages: 1234)
        #expect(driver.takeInterrupt() == 2 && driver.get(0x100) == 1234)
        driver.put(0x104, 1000)
        driver.put(0x100, 77)
        #expect(driver.get(0x104) == 1000 && device.actual == 1000 && told.value == [1000] && driver.get(0x100) == 1234)
    }

    @Test(
        "reported pages are given back; the queue's number depends on what is agreed on",
        arguments: [(1 << 1 | 1 << 5, 3), (1 << 5, 2)])
    func reports(_ features: UInt64, _ queue: Int) throws {
        try driver.start(features)
        let area = driver.ram.allocate(4096 * 4, alignment: 4096)
        try driver.ram.memory.fill(area, count: 4096 * 4, 0xAB)
        let chain = [
            Buffer(gpa: area, count: 4096, isWritable: true), Buffer(gpa: area + 8192, count: 8192, isWritable: true),
        ]
        #expect(try driver.exchange(queue, chain).count == 1)
        let bytes = try (0..<4 as Range<UInt64>).map { try driver.ram.memory.load(area + 4096 * $0, as: UInt8.self) }
        #expect(bytes == [0, 0xAB, 0, 0] && device.reported == 3 * 4096)
    }

    @Test("statistics come when they are asked for")
    func statistics() throws {
        let told = Box<[UInt16: UInt64]>([:])
        device.onStatistics = { told.value = $0 }
        try driver.start(1 << 1)
        #expect(!device.requestStatistics())
        func entry(_ tag: UInt16, _ value: UInt64) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(little: tag)
            bytes.append(little: value)
            return bytes
        }
        #expect(try driver.exchange(2, [try driver.readable(entry(4, 1 << 40) + entry(5, 9) + [1])]).isEmpty)
        #expect(told.value == [4: 1 << 40, 5: 9])
        #expect(device.requestStatistics() && !device.requestStatistics())
        #expect(try driver.rings[2].takeCompleted().count == 1 && driver.takeInterrupt() == 1)
        // Two at once, which no driver should do: the first one goes back.
        _ = try driver.exchange(2, [try driver.readable(entry(1, 1))])
        #expect(try driver.exchange(2, [try driver.readable(entry(2, 2))]).count == 1)
    }
}
