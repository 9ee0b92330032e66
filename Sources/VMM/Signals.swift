// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc

/// The signals that end a machine, and the one that tells of another size of the terminal, as a descriptor: signalfd(2). Blocked in every thread that is made afterwards.
final class Signals {
    private static let names: [UInt32: String] = [
        UInt32(SIGTERM): "SIGTERM", UInt32(SIGINT): "SIGINT", UInt32(SIGHUP): "SIGHUP",
    ]
    private let file: Descriptor
    var descriptor: Int32 { file.number }

    init() throws(VMMError) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGWINCH)
        for number in Self.names.keys { unsafe sigaddset(&set, Int32(number)) }
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        // A reader of the console that has gone is an error of write(2), not the end.
        _ = signal(SIGPIPE, SIG_IGN)
        file = try Descriptor.made(
            unsafe lkx_vmm_signalfd(&set), by: "signalfd")
    }

    enum Signal {
        /// By this name.
        case end(String)
        case terminalSize
    }

    /// What came.
    func next() -> Signal? {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        guard unsafe read(descriptor, &information, size) == size else { return nil }
        if information.ssi_signo == UInt32(SIGWINCH) { return .terminalSize }
        return .end(Self.names[information.ssi_signo] ?? "signal \(information.ssi_signo)")
    }
}
