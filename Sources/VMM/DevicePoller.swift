// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Devices
import Glibc

/// The event loop as devices see it. All of it is called under the machine's device lock, which the loop takes before it tells a device anything.
final class DevicePoller: Poller, @unchecked Sendable {
    private let loop: EventLoop
    private let lock: Lock
    private let timer: Descriptor
    private var watched: Set<Int32> = []
    /// When each source is to be woken, in nanoseconds of CLOCK_MONOTONIC.
    private var deadlines: [ObjectIdentifier: (source: any PollSource, time: UInt64)] = [:]

    init(_ loop: EventLoop, _ lock: Lock) throws(VMMError) {
        (self.loop, self.lock) = (loop, lock)
        timer = try Descriptor.made(lkx_vmm_timerfd(), by: "timerfd_create")
        try loop.watch(timer.number, .input) { [unowned self] _ in expire() }
    }

    func watch(_ descriptor: Int32, _ events: PollEvents, _ source: any PollSource) {
        let wanted = EventLoop.Events(events)
        if watched.contains(descriptor) { return loop.change(descriptor, wanted) }
        do throws(VMMError) {
            try loop.watch(descriptor, wanted) { [lock] happened in
                lock.withLock { source.ready(descriptor, PollEvents(happened)) }
            }
            watched.insert(descriptor)
        } catch {
            // What epoll can't wait for, a file, is always ready: devices that use such a one don't ask.
        }
    }

    func unwatch(_ descriptor: Int32) {
        guard watched.remove(descriptor) != nil else { return }
        loop.forget(descriptor)
    }

    func wake(_ source: any PollSource, after nanoseconds: UInt64) {
        let (time, isTooFar) = Host.now().addingReportingOverflow(nanoseconds)
        // 292 years: what a timerfd takes.
        deadlines[ObjectIdentifier(source)] = (source, isTooFar ? UInt64(Int64.max) : min(time, UInt64(Int64.max)))
        arm()
    }

    private func expire() {
        EventLoop.drain(timer.number)
        lock.withLock {
            let now = Host.now()
            let due = deadlines.filter { $0.value.time <= now }
            for key in due.keys { deadlines[key] = nil }
            for (source, _) in due.values { source.wake() }
            arm()
        }
    }

    private func arm() {
        guard let next = deadlines.values.map(\.time).min() else { return }
        lkx_vmm_timerfd_set(timer.number, next)
    }
}

extension EventLoop.Events {
    fileprivate init(_ events: PollEvents) {
        self = []
        if events.contains(.read) { insert(.input) }
        if events.contains(.write) { insert(.output) }
    }
}

extension PollEvents {
    fileprivate init(_ events: EventLoop.Events) {
        self = []
        if events.contains(.input) { insert(.read) }
        if events.contains(.output) { insert(.write) }
        if !events.isDisjoint(with: .end) { insert(.hangUp) }
    }
}
