// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import TestRandom
import Testing

@testable import Devices

/// A stream of which the test is the other side.
final class TestStream: VsockStream {
    let descriptor: Int32
    var incoming: [UInt8] = []
    var hasEnded = false
    var sent: [UInt8] = []
    var room = Int.max
    var hasEndedOutput = false
    var isBroken = false

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    func receive(_ most: Int) -> VsockInput {
        if incoming.isEmpty { return hasEnded ? .end : isBroken ? .failed : .wait }
        defer { incoming.removeFirst(min(most, incoming.count)) }
        return .bytes(Array(incoming.prefix(most)))
    }
    func send(_ bytes: [UInt8]) -> Int? {
        if isBroken { return nil }
        let count = min(bytes.count, room)
        sent += bytes.prefix(count)
        if room != .max { room -= count }
        return count
    }
    func endOutput() { hasEndedOutput = true }
}

final class TestHost: VsockHost {
    let listener: Int32 = 100
    var callers: [TestStream] = []
    var ports: [UInt32: TestStream] = [:]
    func accept() -> (any VsockStream)? { callers.isEmpty ? nil : callers.removeFirst() }
    func connect(port: UInt32) -> (any VsockStream)? { ports.removeValue(forKey: port) }
}

@Suite("virtio-vsock")
struct VsockTests {
    typealias Operation = VsockHeader.Operation
    let host = TestHost()
    let device: Vsock
    let driver: TestDriver
    let buffers = Box<[Buffer]>([])

    init() throws {
        device = Vsock(guestCID: 3, host: host)
        driver = try TestDriver(device)
        try driver.start(0, size: 64)
    }

    /// Buffers for packets to the guest.
    func offer(_ count: Int, _ size: Int = 4096) throws {
        for _ in 0..<count {
            let buffer = driver.writable(size)
            _ = try driver.rings[0].add([buffer], indirect: false)
            buffers.value.append(buffer)
        }
        driver.notify(0)
    }

    /// What the guest has received. Buffers are used in the order in which they were offered.
    func received() throws -> [(header: VsockHeader, data: [UInt8])] {
        try driver.rings[0].takeCompleted().map { completion in
            let bytes = Array(try driver.bytes(buffers.value.removeFirst()).prefix(Int(completion.written)))
            return (VsockHeader(Array(bytes.prefix(44))), Array(bytes.dropFirst(44)))
        }
    }

    func send(
        _ operation: UInt16, to port: UInt32 = 5000, from guestPort: UInt32 = 77, _ data: [UInt8] = [],
        flags: UInt32 = 0, allocation: UInt32 = 65536,
        forwarded: UInt32 = 0, change: (inout VsockHeader) -> Void = { _ in }
    ) throws {
        var header = VsockHeader(operation, from: guestPort, to: port, guestCID: 2)
        header.sourceCID = 3
        (header.length, header.flags) = (UInt32(data.count), flags)
        (header.allocation, header.forwarded) = (allocation, forwarded)
        change(&header)
        _ = try driver.exchange(1, [try driver.readable(header.bytes + data)])
    }

    /// A connection that the guest has asked for.
    func connected() throws -> TestStream {
        let stream = TestStream(101)
        host.ports[5000] = stream
        try offer(4)
        try send(Operation.request)
        #expect(try received().map(\.header.operation) == [Operation.response])
        return stream
    }

    func isReady(_ stream: TestStream, _ events: PollEvents) { driver.transport.ready(stream.descriptor, events) }

    @Test("the guest connects, both send, the guest closes")
    func guestConnects() throws {
        let stream = try connected()
        #expect(driver.poller.watched[101] == .read)
        try send(Operation.data, Array("ping".utf8))
        #expect(stream.sent == Array("ping".utf8))
        stream.incoming = Array("pong".utf8)
        isReady(stream, .read)
        let packet = try #require(try received().first)
        #expect(
            packet.data == Array("pong".utf8) && packet.header.operation == Operation.data && packet.header.length == 4)
        #expect(packet.header.sourcePort == 5000 && packet.header.destinationPort == 77 && packet.header.sourceCID == 2)
        #expect(packet.header.forwarded == 4 && packet.header.allocation == VsockConnection.allocation)
        try send(Operation.shutdown, flags: VsockHeader.noSend)
        #expect(stream.hasEndedOutput && device.connections.count == 1)
        try send(Operation.shutdown, flags: VsockHeader.noReceive)
        #expect(try received().map(\.header.operation) == [Operation.reset])
        #expect(device.connections.isEmpty && driver.poller.watched[101] == nil)
    }

    @Test("the host connects by a line, is told which port it has, and what is behind the line gets through")
    func hostConnects() throws {
        let stream = TestStream(102)
        host.callers = [stream]
        try offer(8)
        driver.transport.ready(host.listener, .read)
        #expect(driver.poller.watched[102] == .read)
        stream.incoming = Array("CONNECT 12".utf8)
        isReady(stream, .read)
        #expect(try received().isEmpty)
        stream.incoming = Array("34\nhello".utf8)
        isReady(stream, .read)
        let request = try #require(try received().first).header
        #expect(
            request.operation == Operation.request && request.destinationPort == 1234
                && request.sourcePort == Vsock.firstHostPort)
        // Nothing is read before the guest has accepted.
        #expect(stream.incoming == Array("hello".utf8) && driver.poller.watched[102] == [])
        try send(Operation.response, to: Vsock.firstHostPort, from: 1234)
        #expect(stream.sent == Array("OK 1073741824\n".utf8) && driver.poller.watched[102] == .read)
        isReady(stream, .read)
        #expect(try received().map(\.data) == [Array("hello".utf8)])
        // It goes away: the guest hears of it, and resets.
        stream.hasEnded = true
        isReady(stream, [.read, .hangUp])
        let last = try #require(try received().first).header
        #expect(last.operation == Operation.shutdown && last.flags == 3 && driver.poller.watched[102] == nil)
        try send(Operation.reset, to: Vsock.firstHostPort, from: 1234)
        #expect(device.connections.isEmpty)
    }

    @Test(
        "lines that ask for nothing",
        arguments: [
            "CONNECT\n", "CONNECT x\n", "CONNECT 4294967296\n", "GET / HTTP/1.1\n", String(repeating: "A", count: 100),
        ])
    func badGreeting(_ line: String) throws {
        let stream = TestStream(103)
        stream.incoming = Array(line.utf8)
        host.callers = [stream]
        try offer(2)
        driver.transport.ready(host.listener, .read)
        isReady(stream, .read)
        #expect(try received().isEmpty && device.greetings.isEmpty && driver.poller.watched[103] == nil)
    }

    @Test("who sends without asking, to nobody, or too much, is reset")
    func resets() throws {
        try offer(16)
        try send(Operation.request)
        try send(Operation.data, [1])
        try send(Operation.request) { $0.destinationCID = 9 }
        try send(Operation.request) { $0.type = 2 }
        try send(Operation.reset)
        try send(Operation.request) { $0.sourceCID = 4 }
        let packets = try received().map(\.header)
        #expect(packets.map(\.operation) == Array(repeating: Operation.reset, count: 4) && packets.last?.type == 2)
        let stream = try connected()
        stream.room = 0
        let block = [UInt8](repeating: 1, count: 65536)
        for _ in 0..<4 { try send(Operation.data, block) }
        #expect(device.connections.count == 1 && driver.poller.watched[101] == [.read, .write])
        try send(Operation.data, [1])
        #expect(try received().map(\.header.operation) == [Operation.reset] && device.connections.isEmpty)
        // Nor may one accept what is established, or send what is no operation.
        for operation in [Operation.response, Operation.request, 0, 99] {
            _ = try connected()
            try send(operation)
            #expect(try received().map(\.header.operation) == [Operation.reset])
        }
        #expect(driver.failure.value == nil)
    }

    @Test("credit: the guest gets no more than it has room for, and learns what the host has taken")
    func credit() throws {
        let stream = TestStream(101)
        host.ports[5000] = stream
        try offer(8)
        try send(Operation.request, allocation: 10)
        stream.incoming = Array(0..<25)
        isReady(stream, .read)
        var packets = try received()
        #expect(packets.map(\.header.operation) == [Operation.response, Operation.data, Operation.creditRequest])
        #expect(packets[1].data == Array(0..<10) && driver.poller.watched[101] == [])
        try send(Operation.creditUpdate, allocation: 10, forwarded: 8)
        packets = try received()
        #expect(
            packets.map(\.header.operation) == [Operation.data, Operation.creditRequest]
                && packets[0].data == Array(10..<18))
        // A count that makes no sense is no credit.
        try send(Operation.creditUpdate, allocation: 10, forwarded: 1000)
        #expect(try received().isEmpty)
        try send(Operation.creditUpdate, allocation: 1000, forwarded: 18)
        #expect(try received().map(\.data) == [Array(18..<25)])

        stream.room = 0
        try send(Operation.data, [UInt8](repeating: 7, count: 200_000))
        #expect(try received().isEmpty && driver.poller.watched[101]?.contains(.write) == true)
        stream.room = .max
        isReady(stream, .write)
        let update = try #require(try received().first).header
        #expect(
            update.operation == Operation.creditUpdate && update.forwarded == 200_000 && stream.sent.count == 200_000)
        try send(Operation.creditRequest)
        #expect(try received().map(\.header.operation) == [Operation.creditUpdate])
    }

    @Test("half a close, and a host that breaks off while the guest sends")
    func ends() throws {
        let stream = try connected()
        stream.hasEnded = true
        isReady(stream, .read)
        let shutdown = try #require(try received().first).header
        #expect(shutdown.operation == Operation.shutdown && shutdown.flags == VsockHeader.noSend)
        try send(Operation.data, [1, 2])
        #expect(stream.sent == [1, 2] && driver.poller.watched[101] == [])

        let other = TestStream(104)
        host.ports[6000] = other
        try send(Operation.request, to: 6000)
        _ = try received()
        (other.incoming, other.isBroken, other.hasEnded) = ([9], true, true)
        try offer(4)
        try send(Operation.data, to: 6000, [1, 2])
        let packets = try received()
        #expect(packets.map(\.header.operation) == [Operation.data, Operation.shutdown] && packets[0].data == [9])
        #expect(packets[1].header.flags == 3 && driver.poller.watched[104] == nil)
    }

    @Test("a guest without buffers: what is due waits, in bounds")
    func starved() throws {
        for number in 0..<UInt32(Vsock.mostResets) { try send(Operation.data, from: number, [1]) }
        // The next one stays in its ring.
        try send(Operation.data, from: 9999, [1])
        #expect(try driver.rings[1].takeCompleted().isEmpty)
        var count = 0
        for _ in 0..<10 {
            try offer(32)
            count += try received().count
        }
        #expect(count == Vsock.mostResets + 1)
        #expect(try driver.rings[1].takeCompleted().count == 1)
    }

    @Test("connections that come and go while nobody listens leave nothing behind")
    func comeAndGo() throws {
        for _ in 0..<2000 {
            host.ports[5000] = TestStream(101)
            try send(Operation.request)
            #expect(device.connections.count == 1)
            try send(Operation.reset)
            _ = try driver.rings[1].takeCompleted()
        }
        #expect(device.connections.isEmpty && device.waiting.isEmpty)
    }

    @Test("a packet without a header, or shorter than it says, and a buffer without room lose the device")
    func bad() throws {
        _ = try driver.exchange(1, [try driver.readable([UInt8](repeating: 0, count: 43))])
        #expect(driver.failure.value != nil)
        try driver.start(0)
        driver.failure.value = nil
        try send(Operation.data, [1]) { $0.length = 2 }
        #expect(driver.failure.value != nil)
        try driver.start(0)
        driver.failure.value = nil
        _ = try driver.exchange(0, [driver.writable(44)])
        try send(Operation.data, [1])
        #expect(driver.failure.value != nil && driver.poller.watched.isEmpty)
    }

    @Test("any packets in any order: no trap, nothing left over after a reset", arguments: 1...3 as ClosedRange<UInt64>)
    func hostile(_ seed: UInt64) throws {
        var random = Random(seed: seed)
        var streams: [TestStream] = []
        var next: Int32 = 1000
        for round in 0..<4000 {
            if round % 100 == 0 {
                try driver.start(0, size: 32)
                buffers.value = []
                #expect(device.connections.isEmpty && device.portsOf.isEmpty && driver.poller.watched.count == 1)
                streams = []
            }
            switch random.below(5) {
            case 0:
                let stream = TestStream(next)
                next += 1
                streams.append(stream)
                if random.oneIn(2) { host.ports[random.below(4)] = stream } else { host.callers.append(stream) }
                stream.incoming = Array("CONNECT \(random.below(4) as Int)\nabcdef".utf8)
                driver.transport.ready(host.listener, .read)
            case 1 where !streams.isEmpty:
                let stream = random.pick(streams)
                stream.incoming += Array(repeating: 1, count: random.below(10_000))
                stream.hasEnded = random.oneIn(8)
                stream.isBroken = random.oneIn(8)
                stream.room = random.oneIn(3) ? 0 : .max
                isReady(stream, PollEvents(rawValue: random.below(8)))
            case 2: try? offer(random.below(4), 45 + random.below(400))
            default:
                let data = [UInt8](repeating: 0, count: random.below(3000))
                let port: UInt32 = random.oneIn(2) ? random.below(4) : Vsock.firstHostPort + random.below(50)
                _ = try driver.rings[1].takeCompleted()
                try? send(
                    random.below(9), to: port, from: random.below(4), data, flags: random.below(4),
                    allocation: UInt32(truncatingIfNeeded: random.interesting()),
                    forwarded: UInt32(truncatingIfNeeded: random.interesting()))
                _ = try driver.rings[0].takeCompleted()
            }
            #expect(driver.failure.value == nil)
        }
    }
}

@Suite("Unix sockets behind virtio-vsock")
struct UnixVsockHostTests {
    @Test("both directions, the end, and who isn't there")
    func sockets() throws {
        let path = temporaryPath("vsock")
        let host = try UnixVsockHost(path: path)
        #expect(host.accept() == nil && host.connect(port: 7000) == nil)
        // What a program on the host has for port 7000.
        let program = try UnixVsockHost(path: path + "_7000")
        defer { for name in [path, path + "_7000"] { remove(name) } }
        let near = try #require(host.connect(port: 7000))
        let far = try #require(program.accept())
        #expect(
            near.send([1, 2, 3]) == 3 && far.receive(2) == .bytes([1, 2]) && far.receive(9) == .bytes([3])
                && far.receive(9) == .wait)
        near.endOutput()
        #expect(far.receive(9) == .end && far.send([4]) == 1 && near.receive(1) == .bytes([4]))
        #expect(near.send([1]) == nil)
        // A reader that doesn't read.
        var sent = 0
        while let count = far.send([UInt8](repeating: 0, count: 65536)), count > 0 { sent += count }
        #expect(sent > 0)
        #expect(throws: HostError(errno: 98)) { _ = try UnixVsockHost(path: path) }
        #expect(throws: HostError(errno: 36)) { _ = try UnixVsockHost(path: String(repeating: "a", count: 108)) }
    }

    @Test("the socket of a program that was killed is taken; that of one that runs, and a file, are not")
    func left() throws {
        let path = temporaryPath("vsock-left")
        defer { remove(path) }
        var running: UnixVsockHost? = try UnixVsockHost(path: path)
        #expect(throws: HostError(errno: 98)) { _ = try UnixVsockHost(path: path) }
        #expect(running?.accept() != nil)
        // Its end leaves the name.
        running = nil
        #expect(throws: Never.self) { _ = try UnixVsockHost(path: path) }
        remove(path)
        makeFile(path)
        #expect(throws: HostError(errno: 98)) { _ = try UnixVsockHost(path: path) }
        #expect(isThere(path))
    }
}
