// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import GuestMemory

@testable import Devices

/// One guest's memory and one device at a time, driven by the input.
@safe final class Session {
    nonisolated(unsafe) static let shared = Session()
    static let base: UInt64 = 0x10000
    static let count = 0x10000
    /// Where a queue's three areas are: descriptors, driver's, device's.
    static let (queueArea, ringSize): (UInt64, UInt64) = (0x1000, 8)

    let memory: GuestMemory
    private let start: UnsafeMutableRawPointer
    private let disk: HostFile
    private let card: HostFile
    private let cable: Int32
    private let poller = Poll()
    private var transport: VirtioMMIO
    private var feed: ([UInt8]) -> Void = { _ in }
    private var check: () -> Void = {}

    final class Poll: Poller {
        var watched: Set<Int32> = []
        func watch(_ descriptor: Int32, _ events: PollEvents, _ source: any PollSource) { watched.insert(descriptor) }
        func unwatch(_ descriptor: Int32) { watched.remove(descriptor) }
        func wake(_ source: any PollSource, after nanoseconds: UInt64) {}
    }

    init() {
        // A page on either side that ends the process.
        guard let map = unsafe mmap(nil, Self.count + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            unsafe map != MAP_FAILED
        else { fatalError("mmap") }
        unsafe start = map + 4096
        _ = unsafe mprotect(start, Self.count, PROT_READ | PROT_WRITE)
        guard
            let memory = try? unsafe GuestMemory([GuestRegion(gpa: Self.base, count: UInt64(Self.count), base: start)])
        else { fatalError() }
        self.memory = memory
        var path = Array("/dev/shm/likex-fuzz-XXXXXX".utf8CString)
        let file = unsafe mkstemp(&path)
        _ = unsafe unlink(path)
        _ = ftruncate(file, 1 << 20)
        disk = HostFile(owning: file)
        var ends: [Int32] = [-1, -1]
        precondition(unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        card = HostFile(owning: ends[0])
        cable = ends[1]
        transport = VirtioMMIO(Entropy(), memory: memory, interrupt: Chips.Line(), poller: poller)
    }

    private func make(_ which: Int) -> any VirtioDevice {
        (feed, check) = ({ _ in }, {})
        switch which % 8 {
        case 0, 1:
            let medium = Block.Disk(disk, byteCount: 1 << 20, isReadOnly: which & 0x80 != 0, identifier: "fuzz")
            // Half of them are slots, which the host fills and empties; of other sizes, too.
            let block = Block(which & 0x40 != 0 ? nil : medium, queues: 2, queueSize: 16)
            feed = { [unowned self] bytes in
                let new = bytes.isEmpty ? nil : bytes.count == 1 ? medium : Block.Disk(disk, byteCount: UInt64(bytes.count) << 9, identifier: "other")
                let limiter = RateLimiter(operations: bytes.count & 4 != 0 ? TokenBucket(rate: 1, burst: 2, now: 0) : nil)
                transport.guarded { () throws(VirtioError) in try block.exchange(for: new, limiter: limiter) }
                transport.configurationChanged()
            }
            return block
        case 2:
            // What was sent to an earlier device.
            var bytes: UInt64 = 0
            while unsafe recv(cable, &bytes, 8, 0) > 0 {}
            feed = { [cable] bytes in
                _ = unsafe bytes.withUnsafeBytes { unsafe send(cable, $0.baseAddress, $0.count, 0) }
            }
            guard let device = try? Network(card, isTap: false, mac: [2, 0, 0, 0, 0, 1], queueSize: 16) else {
                fatalError()
            }
            return device
        case 3:
            let console = Console(queueSize: 16) { $0.count / 2 + Int($0[0] & 1) }
            feed = { bytes in
                _ = console.receive(bytes)
                console.resumeOutput()
            }
            return console
        case 4:
            let balloon = Balloon(queueSize: 16)
            feed = { bytes in
                balloon.setTarget(pages: UInt32(bytes.count))
                _ = balloon.requestStatistics()
            }
            return balloon
        case 5: return Entropy(queueSize: 16)
        default:
            let host = Streams()
            let vsock = Vsock(guestCID: 3, host: host, queueSize: 16)
            feed = { bytes in host.calls.append(Stream(host.next(), bytes)) }
            check = {
                precondition(vsock.connections.count + vsock.greetings.count <= Vsock.mostConnections)
                precondition(
                    vsock.waiting.count <= vsock.connections.count && vsock.portsOf.count == vsock.connections.count)
                for connection in vsock.connections.values {
                    precondition(connection.outbox.count <= Int(VsockConnection.allocation) + 32)
                }
            }
            return vsock
        }
    }

    func run(_ which: Int, _ input: inout Input) {
        unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: Self.count)
        let device = make(which)
        poller.watched = []
        transport = VirtioMMIO(device, memory: memory, interrupt: Chips.Line(), poller: poller)
        begin(UInt64(input.byte()))
        var steps = 0
        while !input.isEmpty, steps < 100 {
            step(&input)
            steps += 1
            check()
            precondition(
                transport.isActive || transport.status & 4 == 0 || transport.status & 64 != 0,
                "neither active nor stopped")
        }
        transport.write(offset: 0x70, size: 4, value: 0)
        precondition(!transport.isActive && poller.watched.isEmpty, "something is left after a reset")
        // What Swift keeps for weak references to a transport that was active is at an address that the leak detector can't read.
        (feed, check) = ({ _ in }, {})
        transport = VirtioMMIO(Entropy(), memory: memory, interrupt: Chips.Line(), poller: poller)
    }

    private func put(_ register: UInt64, _ value: UInt64) {
        transport.write(offset: register, size: 4, value: value & 0xFFFF_FFFF)
    }

    /// What a well-behaved driver does: so that most inputs get to the rings.
    private func begin(_ choices: UInt64) {
        put(0x70, 0)
        put(0x70, 3)
        // Indirect, event index and packed as the input says, and what the device has.
        let wanted: UInt64 =
            (choices & 3) << 28 | (choices >> 2 & 1) << 34 | 1 << 32
            | (choices & 8 != 0 ? transport.device.features : 0)
        for half in 0..<2 as Range<UInt64> {
            put(0x24, half)
            put(0x20, wanted >> (32 * half))
        }
        put(0x70, 11)
        for queue in 0..<UInt64(transport.device.queueSizes.count) {
            put(0x30, queue)
            put(0x38, Self.ringSize)
            for area in 0..<3 as Range<UInt64> {
                put(0x80 + 0x10 * area, Self.base + Self.queueArea * queue + 0x400 * area)
            }
            put(0x44, 1)
        }
        put(0x70, 15)
    }

    private func step(_ input: inout Input) {
        let step = input.byte()
        switch step % 8 {
        case 0: transport.write(offset: input.number(1) * 4, size: 4, value: input.number(4))
        case 1: transport.write(offset: input.number(2) & 0x3FF, size: 1 << Int(step >> 6), value: input.number(4))
        case 2: _ = transport.read(offset: input.number(2) & 0x3FF, size: 1 << Int(step >> 6))
        case 3: try? memory.write(Self.base + input.number(2), input.take(Int(step >> 3)))
        case 4: offer(&input, UInt64(step >> 3))
        case 5: feed(input.take(Int(step >> 2)))
        case 6:
            let events = PollEvents(rawValue: input.byte())
            for descriptor in poller.watched.sorted() { transport.ready(descriptor, events) }
            transport.wake()
        default: transport.notify(queue: Int(step >> 3))
        }
    }

    /// A chain as a driver makes it, of buffers whose bytes are the input's.
    private func offer(_ input: inout Input, _ choices: UInt64) {
        let queue = choices & 3
        let area = Self.base + Self.queueArea * queue
        let isPacked = transport.driverFeatures >> 34 & 1 != 0
        let first = UInt64(input.byte())
        let count = 1 + choices >> 2 & 3
        for index in 0..<count {
            let slot = (first + index) % Self.ringSize
            let shape = input.byte()
            let buffer = Self.base + 0x8000 + UInt64(shape & 0x0F) * 0x400
            let length = UInt32(shape & 0x80 != 0 ? input.number(2) : 1 + UInt64(shape >> 4) * 16)
            if shape & 0x40 == 0 { try? memory.write(buffer, input.take(min(Int(length), 48))) }
            let flags = UInt16(index + 1 < count ? 1 : 0) | UInt16(shape & 0x40 != 0 ? 2 : 0)
            let at = area + 16 * slot
            try? memory.store(at, buffer)
            try? memory.store(at + 8, length)
            if isPacked {
                try? memory.store(at + 12, UInt16(slot))
                try? memory.store(at + 14, flags | (first & 0x80 != 0 ? 1 << 15 : 1 << 7))
            } else {
                try? memory.store(at + 12, flags)
                try? memory.store(at + 14, UInt16((slot + 1) % Self.ringSize))
            }
        }
        if !isPacked, let index = try? memory.load(area + 0x402, as: UInt16.self) {
            try? memory.store(area + 0x404 + 2 * UInt64(index % UInt16(Self.ringSize)), UInt16(first % Self.ringSize))
            try? memory.store(area + 0x402, index &+ 1)
        }
        transport.notify(queue: Int(queue))
    }
}
