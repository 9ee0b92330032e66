// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import Testing

@testable import Devices

@Suite("virtio-rng and virtio-console")
struct StreamTests {
    @Test("random bytes fill what the driver gives, up to a bound")
    func entropy() throws {
        let driver = try TestDriver(Entropy())
        try driver.start(0)
        let (first, second) = (driver.writable(64), driver.writable(33))
        #expect(try driver.exchange(0, [first, second]).map(\.written) == [97])
        let bytes = try driver.bytes(first) + driver.bytes(second)
        // 97 equal bytes come once in 2^768.
        #expect(Set(bytes).count > 1)
        #expect(try driver.exchange(0, [driver.writable(1 << 20)]).map(\.written) == [65536])
        #expect(try driver.exchange(0, [try driver.readable([1])]).map(\.written) == [0])
        #expect(driver.takeInterrupt() == 1)
    }

    @Test("what the guest writes comes out in order, and waits for a sink that is full", arguments: QueueTests.kinds)
    func output(_ features: UInt64) throws {
        let (sent, room) = (Box<[UInt8]>([]), Box(Int.max))
        let console = Console { bytes in
            let count = min(bytes.count, room.value - sent.value.count)
            sent.value += bytes.prefix(count)
            return count
        }
        let driver = try TestDriver(console)
        try driver.start(features)
        #expect(
            try driver.exchange(
                1, [try driver.readable(Array("hello ".utf8)), try driver.readable(Array("world".utf8))]
            ).count == 1)
        #expect(sent.value == Array("hello world".utf8))
        sent.value = []
        room.value = 70_000
        let long = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(try driver.exchange(1, [try driver.readable(long)]).isEmpty)
        #expect(try driver.exchange(1, [try driver.readable([1, 2, 3])]).isEmpty)
        #expect(sent.value.count == 70_000)
        room.value = .max
        console.resumeOutput()
        #expect(sent.value == long + [1, 2, 3])
        #expect(try driver.rings[1].takeCompleted().count == 2)
        #expect(try driver.exchange(1, [try driver.readable([])]).count == 1)
    }

    @Test("a guest that makes available for ever doesn't keep the device for ever")
    func endless() throws {
        let (again, count) = (Box<() -> Void>({}), Box(0))
        let console = Console { bytes in
            again.value()
            count.value += 1
            return bytes.count
        }
        let driver = try TestDriver(console)
        try driver.start(0)
        let buffer = try driver.readable([1])
        again.value = { [driver] in
            _ = try? driver.rings[1].takeCompleted()
            _ = try? driver.rings[1].add([buffer], indirect: false)
        }
        _ = try driver.exchange(1, [buffer])
        #expect(count.value == DeviceLink.mostAtOnce && driver.poller.wakeDelay == 0)
        driver.transport.wake()
        #expect(count.value == 2 * DeviceLink.mostAtOnce)
    }

    @Test("of several times to be woken at the first one counts")
    func wakeTimes() throws {
        let device = EchoDevice()
        let driver = try TestDriver(device)
        try driver.start(0)
        device.link?.wake(after: 5_000_000_000)
        device.link?.wake(after: .max)
        #expect(driver.poller.wakeDelay == 5_000_000_000)
        device.link?.wake(after: 7)
        #expect(driver.poller.wakeDelay == 7)
        driver.transport.wake()
        device.link?.wake(after: 9_000_000_000)
        #expect(driver.poller.wakeDelay == 9_000_000_000)
    }

    @Test("input goes where the driver gave room, and the rest is asked for later")
    func input() throws {
        let console = Console { $0.count }
        let asked = Box(0)
        console.onInputRoom = { asked.value += 1 }
        let driver = try TestDriver(console)
        #expect(console.receive([1]) == 0)
        try driver.start(0)
        #expect(console.receive([1]) == 0)
        let buffers = [driver.writable(4), driver.writable(4)]
        for buffer in buffers { _ = try driver.exchange(0, [buffer]) }
        #expect(asked.value == 2)
        #expect(console.receive(Array(1...9)) == 8)
        #expect(try driver.rings[0].takeCompleted().map(\.written) == [4, 4])
        let received = try driver.bytes(buffers[0]) + driver.bytes(buffers[1])
        #expect(received == Array(1...8) && driver.takeInterrupt() == 1)
    }

    @Test("the terminal's size is in the configuration space")
    func size() throws {
        let console = Console { $0.count }
        let driver = try TestDriver(console)
        try driver.start(1)
        console.resize(columns: 132, rows: 43)
        #expect(driver.get(0x100) == 43 << 16 | 132 && driver.takeInterrupt() == 2)
    }
}
