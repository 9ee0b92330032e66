// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CDeviceSys
import Devices
import Glibc
import JSON

/// What happens to a machine: warnings and errors for people, on standard error, and all of it for programs where the configuration names a file, as
/// a JSON object a line: `{"time":"2026-11-22T03:44:14.123456Z","level":"info","event":"started","message":"...",...}`.
///
/// Any thread may write: a line is one write(2) to a file that is appended to. A pipe that nobody empties loses lines rather than stopping the machine.
final class Log: Sendable {
    enum Level: String {
        case error
        case warning
        case info
    }

    private let file: Descriptor?

    /// - Parameter path: of a file that is made if there is none; nil for people only.
    init(_ path: String?) throws(VMMError) { file = try path.map { path throws(VMMError) in try Self.open(path, about: "log") } }

    /// A file, or a pipe that somebody reads, that lines are appended to.
    static func open(_ path: String, about: String) throws(VMMError) -> Descriptor {
        try Descriptor.made(
            unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o600), by: "the \(about) \(path)",
            advice: "its folder must be there; a pipe needs a reader first")
    }

    /// - Parameters:
    ///   - event: what happened, for programs: it stays the same when the message is put better.
    ///   - message: for people.
    func write(_ level: Level, _ event: String, _ message: String, _ more: [JSON.Member] = []) {
        if level != .info {
            let line = "likex-vmm: \(message)\n"
            _ = unsafe line.withCString { unsafe Glibc.write(STDERR_FILENO, $0, strlen($0)) }
        }
        guard let file else { return }
        let members: [JSON.Member] = [
            .init("time", .string(Self.now())), .init("level", .string(level.rawValue)), .init("event", .string(event)),
            .init("message", .string(message)),
        ]
        Self.append(.object(members + more), to: file)
    }

    /// A line.
    static func append(_ value: JSON, to file: Descriptor) {
        let bytes = value.bytes + [UInt8(ascii: "\n")]
        _ = unsafe Glibc.write(file.number, bytes, bytes.count)
    }

    /// RFC 3339, UTC. Not by the C library, which would look for a time zone in a file.
    static func now() -> String {
        var time = timeval()
        _ = unsafe gettimeofday(&time, nil)
        return text(seconds: Int64(time.tv_sec), microseconds: Int(time.tv_usec))
    }

    static func text(seconds: Int64, microseconds: Int) -> String {
        let time = CivilTime(secondsSince1970: seconds)
        func digits(_ value: Int, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let date = [digits(time.year, 4), digits(time.month, 2), digits(time.day, 2)].joined(separator: "-")
        let clock = [digits(time.hour, 2), digits(time.minute, 2), digits(time.second, 2)].joined(separator: ":")
        return "\(date)T\(clock).\(digits(microseconds, 6))Z"
    }
}
