// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import Synchronization

/// Who is in the machine's one processor: threads take turns in the order in which they came.
@safe final class ProcessorLock: @unchecked Sendable {
    @unsafe private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    @unsafe private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var nextTicket: UInt64 = 0
    private var serving: UInt64 = 0
    private let waiting = Atomic<Int>(0)

    init() {
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// Whether somebody waits for the processor: then a guest should not keep it.
    var isWanted: Bool { waiting.load(ordering: .relaxed) > 0 }

    func lock() {
        unsafe pthread_mutex_lock(mutex)
        let ticket = nextTicket
        nextTicket += 1
        if ticket != serving {
            waiting.add(1, ordering: .relaxed)
            while ticket != serving { unsafe pthread_cond_wait(changed, mutex) }
            waiting.subtract(1, ordering: .relaxed)
        }
        unsafe pthread_mutex_unlock(mutex)
    }

    func unlock() {
        unsafe pthread_mutex_lock(mutex)
        serving += 1
        unsafe pthread_cond_broadcast(changed)
        unsafe pthread_mutex_unlock(mutex)
    }

    func withLock<Result>(_ body: () -> Result) -> Result {
        lock()
        defer { unlock() }
        return body()
    }
}
