// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Whether a machine's processors are to run: asked by their threads between two runs, said by any.
final class RunControl: @unchecked Sendable {
    private let lock = Lock()
    /// All under `lock`. Nothing changes once there is an end.
    private var paused = false
    /// Threads that have come to `start`, and whether they may go on from there.
    private var arrived = 0
    private var isOpen = false
    private var ended: MachineEnd?

    /// Where each processor's thread begins: waits for `open`.
    func start() {
        lock.withLock {
            arrived += 1
            lock.wakeAll()
            while !isOpen && ended == nil { lock.wait() }
        }
    }

    /// Waits until so many threads are at `start`.
    func waitForStart(of count: Int) {
        lock.withLock { while arrived < count { lock.wait() } }
    }

    /// Lets them go on.
    func open() {
        lock.withLock {
            isOpen = true
            lock.wakeAll()
        }
    }

    /// Waits while the machine is paused. False when it has ended.
    func mayRun() -> Bool {
        lock.withLock {
            while paused && ended == nil { lock.wait() }
            return ended == nil
        }
    }

    var isPaused: Bool { lock.withLock { paused } }

    var end: MachineEnd? { lock.withLock { ended } }

    /// The first reason counts. True for that one.
    func end(_ reason: MachineEnd) -> Bool {
        lock.withLock {
            guard ended == nil else { return false }
            ended = reason
            lock.wakeAll()
            return true
        }
    }

    /// False where it was so already.
    func setPaused(_ wanted: Bool) -> Bool {
        lock.withLock {
            guard ended == nil, paused != wanted else { return false }
            paused = wanted
            lock.wakeAll()
            return true
        }
    }
}
