// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import TestRandom
import Testing

@testable import Devices

@Suite("virtio-net")
struct NetworkTests {
    let pair = PacketPair()
    static let mergeable: UInt64 = 1 << 15

    func driver(_ features: UInt64, receive: RateLimiter = RateLimiter(), size: UInt16 = 16) throws -> TestDriver {
        let device = try Network(
            pair.file, isTap: false, mac: [2, 0, 0, 0, 0, 1], mtu: 9000, receiveLimiter: receive)
        let driver = try TestDriver(device)
        try driver.start(features, size: size)
        return driver
    }

    func packet(_ count: Int, _ seed: Int = 0) -> [UInt8] {
        [UInt8](repeating: 0, count: 12) + (0..<count).map { UInt8(truncatingIfNeeded: $0 &+ seed) }
    }

    @Test("what the guest sends is what the tap gets, header and all", arguments: QueueTests.kinds)
    func transmit(_ features: UInt64) throws {
        let driver = try driver(features)
        for count in [1, 60, 1500, 65000] {
            let bytes = packet(count)
            let chain = [try driver.readable(Array(bytes[..<12])), try driver.readable(Array(bytes[12...]))]
            #expect(try driver.exchange(1, chain).map(\.written) == [0])
            #expect(pair.receive() == bytes)
        }
        // Too long to be a packet: lost, and nothing else.
        #expect(try driver.exchange(1, [try driver.readable(packet(70_000))]).count == 1)
        #expect(pair.receive() == nil && driver.failure.value == nil)
        #expect(try driver.exchange(1, [try driver.readable([1, 2, 3])]).isEmpty)
        #expect(driver.failure.value != nil)
    }

    @Test(
        "packets wait in the tap until there is a buffer, and aren't polled for meanwhile", arguments: QueueTests.kinds)
    func receive(_ features: UInt64) throws {
        let driver = try driver(features)
        let descriptor = pair.file.descriptor
        #expect(driver.poller.watched[descriptor] == .read)
        for number in 0..<3 { pair.send(packet(100, number)) }
        driver.transport.ready(descriptor, .read)
        #expect(driver.poller.watched[descriptor] == [])
        for number in 0..<3 {
            let buffer = driver.writable(1526)
            let done = try driver.exchange(0, [buffer])
            #expect(done.map(\.written) == [112])
            var expected = packet(100, number)
            expected[10] = 1
            #expect(Array(try driver.bytes(buffer).prefix(112)) == expected)
        }
        // Nothing is left in there.
        #expect(driver.poller.watched[descriptor] == .read && driver.takeInterrupt() == 1)
    }

    @Test("a large packet fills several buffers if the driver merges them, and is lost if not")
    func merge() throws {
        let driver = try driver(Self.mergeable)
        let buffers = (0..<3).map { _ in driver.writable(600) }
        pair.send(packet(1500, 3))
        driver.transport.ready(pair.file.descriptor, .read)
        #expect(try driver.exchange(0, [buffers[0]]).isEmpty)
        #expect(try driver.exchange(0, [buffers[1]]).isEmpty)
        #expect(try driver.exchange(0, [buffers[2]]).map(\.written) == [600, 600, 312])
        var bytes = try buffers.flatMap { try driver.bytes($0) }
        #expect(bytes[10] == 3)
        bytes[10] = 0
        #expect(Array(bytes.prefix(1512)) == packet(1500, 3))

        let small = try self.driver(0)
        let buffer = small.writable(600)
        pair.send(packet(1500))
        pair.send(packet(50))
        small.transport.ready(pair.file.descriptor, .read)
        #expect(try small.exchange(0, [buffer]).map(\.written) == [62])
    }

    @Test("buffers that can hold no header, or a whole queue that holds no packet, lose the device")
    func bad() throws {
        let driver = try driver(0)
        pair.send(packet(50))
        #expect(try driver.exchange(0, [driver.writable(11)]).isEmpty)
        #expect(driver.failure.value != nil && driver.poller.watched[pair.file.descriptor] == nil)
    }

    @Test("a limited card takes from the tap what it may")
    func limits() throws {
        let now = Box<UInt64>(0)
        let limiter = RateLimiter(bytes: TokenBucket(rate: 1000, burst: 100, now: 0)) { now.value }
        let driver = try driver(0, receive: limiter)
        for _ in 0..<4 { _ = try driver.rings[0].add([driver.writable(1526)], indirect: false) }
        for _ in 0..<3 { pair.send(packet(88)) }
        driver.transport.ready(pair.file.descriptor, .read)
        #expect(try driver.rings[0].takeCompleted().count == 1)
        #expect(driver.poller.watched[pair.file.descriptor] == [])
        now.value += try #require(driver.poller.wakeDelay)
        driver.transport.wake()
        #expect(try driver.rings[0].takeCompleted().count == 1)
        now.value += 10_000_000_000
        driver.transport.wake()
        #expect(try driver.rings[0].takeCompleted().count == 1)
        // All is spent again.
        #expect(driver.poller.watched[pair.file.descriptor] == [])
        now.value += 1_000_000_000
        driver.transport.wake()
        #expect(driver.poller.watched[pair.file.descriptor] == .read)
    }

    @Test("a tap that is gone is not polled any more")
    func gone() throws {
        let driver = try driver(0)
        let descriptor = pair.file.descriptor
        driver.transport.ready(descriptor, .read)
        #expect(driver.poller.watched[descriptor] == .read)
        pair.closeOther()
        driver.transport.ready(descriptor, [.read, .hangUp])
        #expect(driver.poller.watched[descriptor] == nil && driver.transport.isActive)
        #expect(try driver.exchange(1, [try driver.readable(packet(20))]).count == 1)
    }

    @Test("the configuration: address, link, pairs, MTU; no offloads without a tap")
    func configuration() throws {
        let driver = try driver(0)
        #expect(driver.get(0x100) == 2 && driver.get(0x104) == 1 << 16 | 0x0100 && driver.get(0x108) == 9000 << 16 | 1)
        #expect(driver.offered & 0xFFFF_FFFF & ~(1 << 28 | 1 << 29) == 1 << 3 | 1 << 5 | 1 << 15 | 1 << 16)
        #expect(throws: HostError.self) { _ = try Network(pair.file, mac: [0, 0, 0, 0, 0, 0]) }
    }
}
