// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import TestRandom
import Testing

@testable import Devices

/// Gives each chain's readable bytes back in its writable ones, in whatever order and whenever it is told to.
final class EchoDevice: VirtioDevice {
    let deviceID: UInt32 = 63
    let features: UInt64 = 1 << 3
    let queueSizes: [UInt16] = [64, 8]
    var configuration: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
    var link: DeviceLink?
    var held: [DescriptorChain] = []
    var mostAtOnce = Int.max

    func activate(_ link: DeviceLink) { self.link = link }
    func reset() { (link, held) = (nil, []) }
    func writeConfiguration(_ offset: Int, _ bytes: [UInt8]) {
        configuration.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    func take() throws(VirtioError) {
        while held.count < mostAtOnce, let chain = try link?.queue(0)?.next() { held.append(chain) }
    }
    func giveBack(_ index: Int) throws(VirtioError) {
        guard let link, let queue = link.queue(0) else { return }
        let chain = held.remove(at: index)
        let count = try chain.writable.write(try chain.readable.read(link.memory), link.memory)
        try queue.complete(chain, written: count)
    }
    func notify(queue: Int) throws(VirtioError) {
        try take()
        while !held.isEmpty { try giveBack(0) }
        try link?.signal(0)
    }
}

@Suite("Rings")
struct QueueTests {
    static let kinds: [UInt64] = [
        0, VirtioFeature.eventIndex, VirtioFeature.packedRing, VirtioFeature.packedRing | VirtioFeature.eventIndex,
    ].flatMap { (kind: UInt64) -> [UInt64] in [kind, kind | VirtioFeature.indirect] }

    @Test("requests of all shapes come back, several laps of the ring", arguments: kinds)
    func laps(_ features: UInt64) throws {
        let driver = try TestDriver(EchoDevice())
        // A packed ring may be of any size.
        try driver.start(features, size: features & TestDriver.packed != 0 ? 13 : 16)
        for round in 0..<60 {
            let bytes = (0..<round * 7).map { UInt8(truncatingIfNeeded: $0 ^ round) }
            let half = bytes.count / 2
            let input = [driver.writable(half), driver.writable(bytes.count - half + 3)]
            let output = [try driver.readable(Array(bytes[..<half])), try driver.readable(Array(bytes[half...]))]
            let isIndirect = features & 1 << 28 != 0 && round % 3 != 0
            let done = try driver.exchange(0, output + input, indirect: isIndirect)
            #expect(done.count == 1 && done.first?.written == UInt32(bytes.count))
            #expect(Array((try driver.bytes(input[0]) + driver.bytes(input[1])).prefix(bytes.count)) == bytes)
        }
        #expect(driver.failure.value == nil)
    }

    @Test("chains go back in any order, while others come", arguments: kinds)
    func order(_ features: UInt64) throws {
        let device = EchoDevice()
        let driver = try TestDriver(device)
        try driver.start(features, size: 8)
        var random = Random(seed: features &+ 1)
        var expected: [UInt16: (Buffer, UInt8)] = [:]
        for round in 0..<400 {
            let byte = random.byte()
            // Never more than the ring holds.
            if expected.count < 3 {
                let (output, input) = (try driver.readable([byte]), driver.writable(1))
                expected[try driver.rings[0].add([output, input], indirect: false)] = (input, byte)
            }
            try device.take()
            if !device.held.isEmpty, round % 3 != 0 { try device.giveBack(random.below(device.held.count)) }
            for completion in try driver.rings[0].takeCompleted() {
                let known = expected.removeValue(forKey: completion.identifier)
                let (buffer, byte) = try #require(known)
                let echoed = try driver.bytes(buffer)
                #expect(echoed == [byte] && completion.written == 1)
            }
        }
    }

    @Test("interrupts come when the driver wants them", arguments: kinds)
    func interrupts(_ features: UInt64) throws {
        let driver = try TestDriver(EchoDevice())
        try driver.start(features, size: 8)
        func isInterrupted(_ count: Int) throws -> Bool {
            for _ in 0..<count { _ = try driver.exchange(0, [try driver.readable([1])]) }
            return driver.takeInterrupt() == 1
        }
        for _ in 0..<10 {
            try driver.rings[0].setInterrupts(.always)
            #expect(try isInterrupted(1))
            #expect(!driver.line.level)
            try driver.rings[0].setInterrupts(.never)
            let isEarly = try isInterrupted(3)
            #expect(!isEarly)
            if features & TestDriver.eventIndex != 0 {
                try driver.rings[0].setInterrupts(.after(2))
                let isEarlier = try isInterrupted(2)
                #expect(!isEarlier)
                #expect(try isInterrupted(1))
            }
        }
    }

    @Test("with the event index the device asks once a burst", arguments: kinds)
    func notifications(_ features: UInt64) throws {
        let device = EchoDevice()
        let driver = try TestDriver(device)
        try driver.start(features, size: 8)
        var asked = 0
        for _ in 0..<20 {
            for _ in 0..<3 {
                _ = try driver.rings[0].add([try driver.readable([1])], indirect: false)
                // Not told until it is asked.
                if try driver.rings[0].wantsNotification() { asked += 1 }
            }
            driver.notify(0)
            let done = try driver.rings[0].takeCompleted()
            #expect(done.count == 3)
        }
        // A packed ring's device has yet to say a position when the first burst comes.
        let isPacked = features & TestDriver.packed != 0
        #expect(asked == (features & TestDriver.eventIndex == 0 ? 60 : isPacked ? 22 : 20))
    }

    @Test("the largest ring there is, full", arguments: [1, 32768] as [UInt16])
    func largest(_ slots: UInt16) throws {
        let ram = try GuestRAM()
        let driver = PackedDriver(ram, size: 32768, hasEventIndex: false)
        let layout = QueueLayout(
            size: 32768, descriptors: driver.areas.descriptors, driver: driver.areas.driver, device: driver.areas.device
        )
        let queue = try PackedQueue(layout, number: 0, memory: ram.memory, features: 0)
        let buffer = Buffer(gpa: GuestRAM.base, count: 1, isWritable: false)
        if slots > 1 {
            // One chain may not be so long.
            _ = try driver.add(Array(repeating: buffer, count: Int(slots)), indirect: false)
            #expect(throws: VirtioError.chainTooLong) { try queue.next() }
            return
        }
        for _ in 0..<32768 { _ = try driver.add([buffer], indirect: false) }
        var chains: [DescriptorChain] = []
        while let chain = try queue.next() { chains.append(chain) }
        #expect(chains.count == 32768)
        for chain in chains { try queue.complete(chain, written: 0) }
        #expect(try queue.takeInterrupt())
        #expect(try driver.takeCompleted().count == 32768)
    }

    @Test("a queue that is no ring is refused, and the device asks for a reset")
    func layouts() throws {
        let driver = try TestDriver(EchoDevice())
        let base = GuestRAM.base
        let end = base + UInt64(GuestRAM.count)
        let bad: [(features: UInt64, size: UInt32, areas: (UInt64, UInt64, UInt64))] = [
            (0, 0, (base, base, base)), (0, 3, (base, base, base)), (0, 128, (base, base, base)),
            (0, 0x1_0010, (base, base, base)),
            (0, 16, (base + 8, base, base)), (0, 16, (base, base + 1, base)), (0, 16, (base, base, base + 2)),
            (0, 16, (0, base, base)), (0, 16, (base, end - 36, base)), (0, 16, (base, base, end - 132)),
            (0, 16, (.max - 15, base, base)),
            (1 << 34, 0, (base, base, base)), (1 << 34, 65, (base, base, base)), (1 << 34, 9, (end - 128, base, base)),
            (1 << 34, 9, (base, base + 2, base)), (1 << 34, 9, (base, base, end)),
        ]
        for (features, size, areas) in bad {
            #expect(driver.agree(features | TestDriver.version1))
            driver.failure.value = nil
            driver.place(0, size: size, areas)
            #expect(
                driver.get(0x44) == 0 && driver.get(0x70) & 64 != 0 && driver.failure.value != nil, "\(size) \(areas)")
        }
    }
}
