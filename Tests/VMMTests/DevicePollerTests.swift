// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Devices
import Glibc
import Testing

@testable import VMM

@Suite("The poll loop tells devices of descriptors and of times, under the lock of theirs")
struct DevicePollerTests {
    private final class Source: PollSource {
        var told: [PollEvents] = []
        var woken = 0
        var onEvent: () -> Void = {}
        func ready(_ descriptor: Int32, _ events: PollEvents) {
            told.append(events)
            onEvent()
        }
        func wake() {
            woken += 1
            onEvent()
        }
    }

    private func pair() -> (Descriptor, Descriptor) {
        var ends: [Int32] = [-1, -1]
        let answer = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        precondition(answer == 0)
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    @Test func descriptors() throws {
        let (loop, source) = (try EventLoop(), Source())
        let poller = try DevicePoller(loop, Lock())
        let (mine, other) = pair()
        _ = unsafe write(other.number, "x", 1)
        poller.watch(mine.number, .read, source)
        source.onEvent = {
            switch source.told.count {
            // Level-triggered: told again. Then other events in place of the first.
            case 2: poller.watch(mine.number, .write, source)
            case 3:
                poller.watch(mine.number, [], source)
                shutdown(other.number, Int32(SHUT_RDWR))
            case 4:
                poller.unwatch(mine.number)
                // Nobody's business.
                poller.unwatch(mine.number)
                loop.stop()
            default: break
            }
        }
        try loop.run()
        #expect(source.told == [.read, .read, .write, .hangUp])
    }

    @Test func times() throws {
        let (loop, early, late) = (try EventLoop(), Source(), Source())
        let poller = try DevicePoller(loop, Lock())
        let start = Host.now()
        poller.wake(late, after: .max)
        poller.wake(early, after: 50_000_000_000)
        // In place of what was wanted before.
        poller.wake(early, after: 2_000_000)
        early.onEvent = {
            if early.woken == 1 { poller.wake(late, after: 0) }
        }
        late.onEvent = { loop.stop() }
        try loop.run()
        #expect(early.woken == 1 && late.woken == 1)
        #expect(Host.now() - start >= 2_000_000)
    }
}
