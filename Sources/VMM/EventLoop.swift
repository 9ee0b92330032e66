// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc

/// What happens to descriptors, told to those who have asked: epoll(7). Its thread is the one that calls `run`.
@safe final class EventLoop: @unchecked Sendable {
    struct Events: OptionSet {
        let rawValue: UInt32
        static let input = Events(rawValue: EPOLLIN.rawValue)
        static let output = Events(rawValue: EPOLLOUT.rawValue)
        /// The other side has gone, or there was an error. Always told.
        static let end = Events(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
    }

    private let epoll: Descriptor
    private let wake: Descriptor
    /// Of what follows: any thread may stop the loop or change what it watches.
    private let lock = Lock()
    private var isStopped = false
    private var handlers: [Int32: (Events) -> Void] = [:]

    init() throws(VMMError) {
        epoll = try Descriptor.made(lkx_vmm_epoll(), by: "epoll_create1")
        wake = try Descriptor.made(lkx_vmm_eventfd(), by: "eventfd")
        let number = wake.number
        try watch(number, .input) { _ in EventLoop.drain(number) }
    }

    /// Calls `handler`, on the loop's thread, whenever one of these events is there. The descriptor stays the caller's, who has it open until `forget`.
    func watch(_ descriptor: Int32, _ events: Events, _ handler: @escaping (Events) -> Void) throws(VMMError) {
        lock.withLock { handlers[descriptor] = handler }
        guard lkx_vmm_epoll_add(epoll.number, descriptor, events.rawValue) == 0 else {
            let number = errno
            lock.withLock { handlers[descriptor] = nil }
            throw VMMError("epoll_ctl of descriptor \(descriptor)", errno: number)
        }
    }

    /// Other events from now on.
    func change(_ descriptor: Int32, _ events: Events) {
        _ = lkx_vmm_epoll_change(epoll.number, descriptor, events.rawValue)
    }

    func forget(_ descriptor: Int32) {
        lock.withLock { handlers[descriptor] = nil }
        _ = lkx_vmm_epoll_remove(epoll.number, descriptor)
    }

    /// Makes `run` return soon. On any thread.
    func stop() {
        lock.withLock { isStopped = true }
        var one: UInt64 = 1
        _ = unsafe write(wake.number, &one, 8)
    }

    /// Waits for events and tells them, until `stop`.
    func run() throws(VMMError) {
        while !lock.withLock({ isStopped }) {
            var (descriptor, events): (Int32, UInt32) = (-1, 0)
            let count = unsafe lkx_vmm_epoll_wait(epoll.number, &descriptor, &events)
            guard count >= 0 else { throw VMMError("epoll_wait", errno: errno) }
            // Called without the lock: handlers watch and forget. One that has just been forgotten on another thread may be called once more.
            if count > 0, let handler = lock.withLock({ handlers[descriptor] }) { handler(Events(rawValue: events)) }
        }
    }

    /// Empties an eventfd or a timerfd.
    static func drain(_ descriptor: Int32) {
        var value: UInt64 = 0
        _ = unsafe read(descriptor, &value, 8)
    }
}
