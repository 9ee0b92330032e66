// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import TestRandom
import Testing

@testable import Devices

@Suite("virtio-blk")
struct BlockTests {
    static let sectors = 2048
    let disk: TemporaryFile
    let content: [UInt8]

    init() {
        content = (0..<Self.sectors).flatMap { [UInt8](repeating: UInt8(truncatingIfNeeded: $0 ^ $0 >> 7), count: 512) }
        disk = TemporaryFile(content)
    }

    func block(isReadOnly: Bool = false, queues: Int = 1, limiter: RateLimiter = RateLimiter()) -> Block {
        Block(
            disk.file, byteCount: UInt64(content.count) + 100, isReadOnly: isReadOnly, identifier: "serial 1",
            queues: queues, limiter: limiter)
    }

    func header(_ type: UInt32, _ sector: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: type)
        bytes.append(little: UInt32(0))
        bytes.append(little: sector)
        return bytes
    }

    /// A request: its status, what it wrote, and how much of it counts.
    func request(
        _ driver: TestDriver, _ type: UInt32, _ sector: UInt64 = 0, output: [UInt8] = [], input: Int = 0, queue: Int = 0
    ) throws -> (status: UInt8, bytes: [UInt8], written: UInt32) {
        var buffers = [try driver.readable(header(type, sector))]
        if !output.isEmpty { buffers.append(try driver.readable(output)) }
        let data = driver.writable(input)
        if input > 0 { buffers.append(data) }
        let status = driver.writable(1)
        try driver.ram.memory.store(status.gpa, UInt8(0xEE))
        let done = try driver.exchange(queue, buffers + [status])
        #expect(done.count == 1)
        return (
            try driver.ram.memory.load(status.gpa, as: UInt8.self), try driver.bytes(data), done.first?.written ?? 0
        )
    }

    @Test("reads, writes and flushes reach the file", arguments: QueueTests.kinds)
    func transfers(_ features: UInt64) throws {
        let driver = try TestDriver(block())
        try driver.start(features | 1 << 9)
        let read = try request(driver, 0, 7, input: 1536)
        #expect(read.status == 0 && read.written == 1537 && read.bytes == Array(content[7 * 512..<10 * 512]))
        let new = [UInt8](repeating: 0x5A, count: 1024)
        let write = try request(driver, 1, 2046, output: new)
        #expect(write.status == 0 && write.written == 1 && disk.read(2046 * 512, 4096) == new)
        #expect(try request(driver, 4).status == 0)
        let identity = try request(driver, 8, input: 20)
        #expect(identity.status == 0 && identity.bytes == Array("serial 1".utf8) + [UInt8](repeating: 0, count: 12))
    }

    @Test("what is in no order of descriptors: a header and data in pieces")
    func pieces() throws {
        let driver = try TestDriver(block())
        try driver.start(0)
        let head = header(1, 1)
        let bytes = [UInt8](repeating: 0x77, count: 512)
        let chain = [
            try driver.readable(Array(head[..<3])), try driver.readable(Array(head[3...]) + bytes[..<100]),
            try driver.readable(Array(bytes[100...])),
            driver.writable(1),
        ]
        #expect(
            try driver.exchange(0, chain) == [Completion(identifier: 14, written: 1)] || disk.read(512, 512) == bytes)
        #expect(disk.read(512, 512) == bytes)
    }

    @Test("what isn't on the disk, or no whole sectors, is an I/O error, and what is unknown unsupported")
    func errors() throws {
        let driver = try TestDriver(block())
        try driver.start(0)
        #expect(try request(driver, 0, 2047, input: 1024).status == 1)
        #expect(try request(driver, 0, 2048, input: 512).status == 1)
        #expect(try request(driver, 0, .max, input: 512).status == 1)
        #expect(try request(driver, 0, 1 << 55, input: 512).status == 1)
        #expect(try request(driver, 0, 0, input: 511).status == 1)
        #expect(try request(driver, 1, 2048, output: [UInt8](repeating: 0, count: 512)).status == 1)
        #expect(try request(driver, 99).status == 2)
        #expect(try request(driver, 8, input: 10).status == 1)
        #expect(driver.failure.value == nil && disk.read(0, content.count + 512) == content)
        // Half the file is gone: what can't be read is an error.
        let short = try TestDriver(Block(TemporaryFile([1]).file, byteCount: 4096))
        try short.start(0)
        #expect(try request(short, 0, 0, input: 512).status == 1)
    }

    @Test("a request without header or status loses the device", arguments: [[15, 1], [16]] as [[Int]])
    func bad(_ shape: [Int]) throws {
        let driver = try TestDriver(block())
        try driver.start(0)
        let chain =
            [try driver.readable([UInt8](repeating: 0, count: shape[0]))] + shape[1...].map { driver.writable($0) }
        #expect(try driver.exchange(0, chain).isEmpty)
        #expect(driver.get(0x70) & 64 != 0 && driver.failure.value != nil)
    }

    @Test("discard and write zeroes")
    func zeroes() throws {
        let driver = try TestDriver(block())
        try driver.start(1 << 13 | 1 << 14)
        func segment(_ sector: UInt64, _ count: UInt32, _ flags: UInt32 = 0) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(little: sector)
            bytes.append(little: count)
            bytes.append(little: flags)
            return bytes
        }
        #expect(try request(driver, 13, output: segment(8, 8) + segment(32, 16, 1)).status == 0)
        #expect(try request(driver, 11, output: segment(64, 8)).status == 0)
        var expected = content
        for range in [8..<16, 32..<48, 64..<72] {
            expected.replaceSubrange(
                range.lowerBound * 512..<range.upperBound * 512, with: repeatElement(0, count: range.count * 512))
        }
        #expect(disk.read(0, content.count + 1) == expected)
        #expect(try request(driver, 11, output: segment(2047, 2)).status == 1)
        #expect(try request(driver, 11, output: segment(0, 8, 1)).status == 2)
        #expect(try request(driver, 13, output: segment(0, 8, 2)).status == 2)
        #expect(try request(driver, 13, output: segment(0, .max)).status == 1)
        #expect(try request(driver, 13, output: [UInt8](segment(0, 8).dropLast())).status == 1)
        #expect(try request(driver, 13, output: (0..<17).flatMap { _ in segment(0, 1) }).status == 1)
        #expect(try request(driver, 13).status == 1)
        #expect(disk.read(0, content.count) == expected)
    }

    @Test("a read-only disk offers no writing and does none")
    func readOnly() throws {
        let driver = try TestDriver(block(isReadOnly: true))
        #expect(driver.offered & (1 << 5 | 1 << 13 | 1 << 14) == 1 << 5)
        try driver.start(1 << 5)
        for type in [1, 11, 13] as [UInt32] {
            #expect(try request(driver, type, output: [UInt8](repeating: 0, count: 512)).status == 1)
        }
        #expect(try request(driver, 0, input: 512).status == 0 && disk.read(0, content.count) == content)
    }

    @Test("several queues; the configuration space says so, and how large the disk is")
    func multiQueue() throws {
        let device = block(queues: 3)
        let driver = try TestDriver(device)
        #expect(driver.offered & 1 << 12 != 0)
        try driver.start(1 << 12)
        for queue in 0..<3 { #expect(try request(driver, 0, UInt64(queue), input: 512, queue: queue).status == 0) }
        #expect(device.configuration.count == 60 && device.configuration.little(0, as: UInt64.self) == 2048)
        #expect(driver.transport.read(offset: 0x100 + 34, size: 2) == 3)
        let generation = driver.get(0xFC)
        _ = driver.takeInterrupt()
        device.resize(byteCount: 1 << 30)
        #expect(driver.get(0xFC) != generation && driver.takeInterrupt() == 2 && driver.get(0x100) == 1 << 21)
    }

    @Test("a slot has no sectors until a disk comes, and none when it has gone; requests for what is not there fail", arguments: QueueTests.kinds)
    func slot(_ features: UInt64) throws {
        let slot = Block(nil)
        let driver = try TestDriver(slot)
        func exchange(_ disk: Block.Disk?, _ limiter: RateLimiter = RateLimiter()) throws {
            try slot.exchange(for: disk, limiter: limiter)
            driver.transport.configurationChanged()
        }
        #expect(driver.offered & (1 << 5 | 1 << 13 | 1 << 14) == 1 << 13 | 1 << 14)
        try driver.start(features | 1 << 9)
        let sector = [UInt8](repeating: 1, count: 512)
        func nothingIsThere() throws {
            #expect(driver.get(0x100) == 0)
            #expect(try request(driver, 0, input: 512).status == 1)
            #expect(try request(driver, 1, output: sector).status == 1)
            #expect(try request(driver, 4).status == 1 && request(driver, 11, output: [UInt8](repeating: 0, count: 16)).status == 1)
            let name = try request(driver, 8, input: 20)
            #expect(name.status == 0 && name.bytes == [UInt8](repeating: 0, count: 20))
        }
        try nothingIsThere()
        _ = driver.takeInterrupt()
        let generation = driver.get(0xFC)
        try exchange(Block.Disk(disk.file, byteCount: UInt64(content.count), identifier: "new"))
        #expect(driver.get(0xFC) == generation + 1 && driver.takeInterrupt() == 2 && driver.get(0x100) == UInt32(Self.sectors))
        #expect(try request(driver, 0, 7, input: 512).bytes == Array(content[7 * 512..<8 * 512]))
        #expect(try request(driver, 1, 7, output: sector).status == 0 && disk.read(7 * 512, 512) == sector)
        #expect(try request(driver, 8, input: 20).bytes.starts(with: Array("new".utf8)))

        // What a limiter keeps back fails when the disk goes; the next one has nothing of it.
        _ = driver.takeInterrupt()
        try exchange(nil)
        #expect(driver.takeInterrupt() & 2 != 0)
        try nothingIsThere()
        let limiter = RateLimiter(operations: TokenBucket(rate: 1, burst: 1, now: 0)) { 0 }
        try exchange(Block.Disk(disk.file, byteCount: 4096, isReadOnly: true), limiter)
        #expect(try request(driver, 0, 7, input: 512).bytes == sector)
        let status = driver.writable(1)
        try driver.ram.memory.store(status.gpa, UInt8(0xEE))
        #expect(try driver.exchange(0, [try driver.readable(header(0, 7)), driver.writable(512), status]).isEmpty)
        try exchange(nil)
        #expect(try driver.rings[0].takeCompleted().count == 1 && driver.ram.memory.load(status.gpa, as: UInt8.self) == 1)

        // One that can only be read, in a slot that was said to be writable.
        try exchange(Block.Disk(disk.file, byteCount: 4096, isReadOnly: true))
        #expect(try request(driver, 1, 0, output: sector).status == 1 && request(driver, 13, output: [UInt8](repeating: 0, count: 16)).status == 1)
        #expect(try request(driver, 0, 8, input: 512).status == 1 && request(driver, 0, 7, input: 512).status == 0)
        #expect(driver.failure.value == nil && disk.read(0, 512) == Array(content[..<512]))
    }

    @Test("a driver that read how large the disk is before it is ready is told when it is")
    func earlyChange() throws {
        let slot = Block(nil)
        let driver = try TestDriver(slot)
        driver.transport.configurationChanged()
        #expect(driver.takeInterrupt() == 0)
        // Nobody had begun: its reset is where it begins.
        try driver.start(0)
        #expect(driver.takeInterrupt() == 0)
        #expect(driver.agree(1 << 32))
        try slot.exchange(for: Block.Disk(disk.file, byteCount: 4096))
        driver.transport.configurationChanged()
        #expect(driver.takeInterrupt() == 0)
        driver.put(0x70, 15)
        #expect(driver.takeInterrupt() == 2)
        driver.put(0x70, 0)
        try driver.start(0)
        #expect(driver.takeInterrupt() == 0 && driver.get(0x100) == 8)
    }

    @Test("a limited disk does what it may, and goes on when its time has come")
    func limits() throws {
        let now = Box<UInt64>(0)
        let limiter = RateLimiter(operations: TokenBucket(rate: 10, burst: 2, now: 0)) { now.value }
        let driver = try TestDriver(block(limiter: limiter))
        try driver.start(0)
        for _ in 0..<5 {
            _ = try driver.rings[0].add([try driver.readable(header(4, 0)), driver.writable(1)], indirect: false)
        }
        driver.notify(0)
        #expect(try driver.rings[0].takeCompleted().count == 2)
        let delay = try #require(driver.poller.wakeDelay)
        #expect(delay == 1)  // what was saved is used up to the last unit
        now.value += 1
        driver.transport.wake()
        #expect(try driver.rings[0].takeCompleted().count == 1)
        #expect(driver.poller.wakeDelay == 100_000_000)
        now.value += 99_999_999
        driver.transport.wake()
        #expect(try driver.rings[0].takeCompleted().isEmpty)
        now.value += 1_000_000_000
        driver.transport.wake()
        #expect(try driver.rings[0].takeCompleted().count == 2)
    }
}

@Suite("Token bucket")
struct TokenBucketTests {
    @Test("the rate over time is what was asked for, whatever is taken at once")
    func rate() {
        var bucket = TokenBucket(rate: 1000, burst: 50, now: 0)
        var (now, taken) = (UInt64(0), UInt64(0))
        var random = Random(seed: 9)
        while now < 100_000_000_000 {
            now += bucket.delay(now)
            let count = random.below(200) as UInt64
            bucket.take(count)
            taken += count
        }
        let expected = now / 1_000_000 + 50
        #expect(taken >= expected - 250 && taken <= expected + 250)
    }

    @Test("rest saves no more than a burst, and no clock or number overflows")
    func extremes() {
        var bucket = TokenBucket(rate: .max, burst: .max, now: 0)
        for now in [0, 1, .max, 5] as [UInt64] {
            _ = bucket.delay(now)
            bucket.take(.max)
        }
        #expect(bucket.delay(5) > 0)
        var slow = TokenBucket(rate: 0, burst: 0, now: 7)
        #expect(slow.delay(3) == 0)
        slow.take(3)
        #expect(slow.delay(7) == 2_000_000_001)
        #expect(slow.delay(.max) == 0)
        slow.take(1)
        #expect(slow.delay(.max) > 0)
    }
}
