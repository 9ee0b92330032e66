// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// Says on standard error, where that is a terminal, how far something is that takes more than a few seconds.
final class Progress {
    private var last = Host.nanoseconds
    private var isShown = false

    /// A line, which the next one overwrites; on a terminal that can't do that, a line every ten seconds.
    func show(_ line: String) {
        guard Console.isErrorTerminal else { return }
        let now = Host.nanoseconds
        if Console.isDumb {
            guard now &- last >= 10_000_000_000 else { return }
            last = now
            Console.error(line)
        } else if isShown || now &- last >= 1_500_000_000 {
            isShown = true
            Console.errorBytes(Array("\r\u{1b}[K\(line)".utf8))
        }
    }

    /// Takes the line away before something else is printed.
    func clear() {
        guard isShown, !Console.isDumb else { return }
        Console.errorBytes(Array("\r\u{1b}[K".utf8))
    }
}
