// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation

/// Runs what blocks on a thread of its own: the pool of tasks has few, and tests that wait would take them all.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        Thread { continuation.resume(returning: body()) }.start()
    }
}
