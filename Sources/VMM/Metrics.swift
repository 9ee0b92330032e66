// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Devices
import Glibc
import JSON

/// A machine's counters, appended to a file as a JSON object a line: every so often, and when the machine ends.
final class Metrics {
    private let file: Descriptor
    private let timer: Descriptor
    private let loop: EventLoop
    private let period: UInt64
    private let collect: () -> JSON

    /// - Parameters:
    ///   - nanoseconds: from one line to the next.
    ///   - collect: called on the loop's thread.
    init(_ path: String, nanoseconds: UInt64, _ loop: EventLoop, collect: @escaping () -> JSON) throws(VMMError) {
        file = try Log.open(path, about: "metrics")
        timer = try Descriptor.made(lkx_vmm_timerfd(), by: "timerfd_create")
        (self.loop, self.collect) = (loop, collect)
        period = nanoseconds
        try loop.watch(timer.number, .input) { [unowned self] _ in
            EventLoop.drain(timer.number)
            write()
            arm()
        }
        arm()
    }

    deinit { loop.forget(timer.number) }

    func write() { Log.append(collect(), to: file) }

    private func arm() { lkx_vmm_timerfd_set(timer.number, Host.now() + period) }
}
