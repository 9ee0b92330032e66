// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import Testing

@testable import Devices

@Suite("Devices count what they do")
struct CounterTests {
    private func values(_ device: any VirtioDevice) -> [String: UInt64] { Dictionary(uniqueKeysWithValues: device.counters) }

    private func header(_ driver: TestDriver, _ type: UInt32, _ sector: UInt64) throws -> Buffer {
        var bytes: [UInt8] = []
        bytes.append(little: type)
        bytes.append(little: UInt32(0))
        bytes.append(little: sector)
        return try driver.readable(bytes)
    }

    @Test func disk() throws {
        let now = Box<UInt64>(0)
        let limiter = RateLimiter(operations: TokenBucket(rate: 1, burst: 5, now: 0)) { now.value }
        let file = TemporaryFile([UInt8](repeating: 7, count: 4096))
        let device = Block(file.file, byteCount: 4096, limiter: limiter)
        let driver = try TestDriver(device)
        try driver.start(1 << 9)
        _ = try driver.exchange(0, [header(driver, 0, 1), driver.writable(1024), driver.writable(1)])
        _ = try driver.exchange(0, [header(driver, 1, 1), driver.readable([UInt8](repeating: 1, count: 512)), driver.writable(1)])
        _ = try driver.exchange(0, [header(driver, 4, 0), driver.writable(1)])
        // Beyond the end, and a kind that there isn't.
        _ = try driver.exchange(0, [header(driver, 0, 8), driver.writable(512), driver.writable(1)])
        _ = try driver.exchange(0, [header(driver, 99, 0), driver.writable(1)])
        #expect(
            values(device) == ["reads": 1, "writes": 1, "flushes": 1, "discards": 0, "errors": 2, "bytesRead": 1024, "bytesWritten": 512])
        var expected = TransportCounters()
        (expected.notifications, expected.requests, expected.interrupts) = (5, 5, 5)
        (expected.bytesFromGuest, expected.bytesToGuest) = (5 * 16 + 512, 1025 + 1 + 1 + 0 + 1)
        // Five are a second's worth: what comes next would have to wait.
        expected.throttled = 1
        #expect(driver.transport.counters == expected)
        // The sixth does.
        #expect(try driver.exchange(0, [header(driver, 4, 0), driver.writable(1)]).isEmpty)
        #expect(driver.transport.counters.throttled == 2 && driver.transport.counters.requests == 5)
        // A request without a header.
        now.value = 10_000_000_000
        _ = try driver.exchange(0, [driver.writable(1)])
        #expect(driver.transport.counters.failures == 1)
        #expect(device.kind == "block")
    }

    @Test func network() throws {
        let pair = PacketPair()
        let device = try Network(pair.file, isTap: false, mac: [2, 0, 0, 0, 0, 1])
        let driver = try TestDriver(device)
        try driver.start(0)
        let packet = [UInt8](repeating: 0, count: 100)
        _ = try driver.exchange(1, [try driver.readable(packet)])
        #expect(pair.receive() == packet)
        // Too long for any network.
        _ = try driver.exchange(1, [try driver.readable([UInt8](repeating: 0, count: 70_000))])
        pair.send(packet)
        _ = try driver.rings[0].add([driver.writable(2000)], indirect: false)
        driver.notify(0)
        #expect(values(device) == ["packetsSent": 1, "packetsReceived": 1, "packetsDropped": 1])
        #expect(driver.transport.counters.requests == 3 && driver.transport.counters.bytesToGuest == 100)
        #expect(device.kind == "network")
    }

    @Test func balloon() throws {
        let device = Balloon()
        let driver = try TestDriver(device)
        try driver.start(0)
        device.setTarget(pages: 3)
        driver.put(0x104, 2)
        #expect(values(device) == ["targetPages": 3, "actualPages": 2, "bytesDiscarded": 0, "bytesReported": 0])
        #expect(driver.transport.counters.interrupts == 1)
        #expect(device.kind == "balloon" && Entropy().kind == "entropy")
    }
}
