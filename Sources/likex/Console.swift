// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import TestMachine

/// Standard output and standard error. With SystemFile, the files of the command that touch libc.
enum Console {
    static let isTerminal = isatty(1) == 1
    static let isErrorTerminal = isatty(2) == 1
    /// Whether the terminal knows no escape sequences: TERM is "dumb" or isn't set.
    static let isDumb: Bool = {
        guard let name = unsafe getenv("TERM") else { return true }
        return unsafe String(cString: name) == "dumb"
    }()

    enum Colour: String {
        case red = "31"
        case green = "32"
        case yellow = "33"
        case bold = "1"
    }

    /// Text in a colour where standard output is a terminal and NO_COLOR isn't set.
    static func coloured(_ text: String, _ colour: Colour) -> String {
        guard isTerminal, !isDumb, unsafe getenv("NO_COLOR") == nil else { return text }
        return "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m"
    }

    static func print(_ line: String) { write(Array((line + "\n").utf8), to: 1) }
    static func error(_ line: String) { write(Array((line + "\n").utf8), to: 2) }
    static func printBytes(_ bytes: [UInt8]) { write(bytes, to: 1) }

    static func errorBytes(_ bytes: [UInt8]) { write(bytes, to: 2) }

    /// Writes all of it; a reader that is gone ends the program as it does others.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Whether this process may read and write a file. access(2)
    static func mayUse(_ path: String) -> Bool { unsafe access(path, R_OK | W_OK) == 0 }
    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
    static var isRoot: Bool { geteuid() == 0 }
}
