// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// A mutex with a condition, by POSIX threads.
@safe final class Lock: @unchecked Sendable {
    @unsafe private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    @unsafe private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    func withLock<Result>(_ body: () -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Within `withLock`: waits until another thread has called `wakeAll`, or for no reason at all.
    func wait() { unsafe pthread_cond_wait(condition, mutex) }

    func wakeAll() { unsafe pthread_cond_broadcast(condition) }
}
