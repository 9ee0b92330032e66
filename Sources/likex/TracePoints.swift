// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// LiKeX's trace points, recorded in a tracefs instance of this process's own for the main thread. Others' tracing is left alone.
struct TracePoints: ~Copyable {
    /// Why there is no recording, and what to do.
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    static let root = "/sys/kernel/tracing"
    /// Of each CPU's buffer, in KiB: some hundred thousand events.
    private static let bufferSize = 8192

    private let folder: String

    /// Begins to record.
    static func begin(root: String = Self.root) throws(Problem) -> TracePoints {
        let folder = "\(root)/instances/likex-\(SystemFile.processIdentifier)"
        if let error = SystemFile.makeDirectory(folder) {
            switch error {
            case .permissionDenied, .operationNotPermitted: throw Problem(description: "only root may use \(root)")
            case .noSuchFile:
                throw Problem(description: "tracefs isn't at \(root): mount -t tracefs tracefs \(root)")
            default: throw Problem(description: "\(folder): \(error)")
            }
        }
        let points = TracePoints(folder: folder)
        try points.set("trace_clock", "x86-tsc")
        try points.set("buffer_size_kb", "\(bufferSize)")
        try points.set("set_event_pid", "\(SystemFile.processIdentifier)")
        try points.set("events/likex/enable", "1")
        return points
    }

    deinit { SystemFile.removeDirectory(folder) }

    private func set(_ file: String, _ value: String) throws(Problem) {
        guard let error = SystemFile.write(value, to: "\(folder)/\(file)") else { return }
        let advice = file.hasPrefix("events/") && error == .noSuchFile ? ": LiKeX's module isn't loaded" : ""
        throw Problem(description: "\(folder)/\(file): \(error)\(advice)")
    }

    /// Ends the recording: the events in the order of their times, and how many were lost for want of room.
    consuming func finish() throws(Problem) -> (events: [KernelEvent], lost: Int) {
        try set("tracing_on", "0")
        switch SystemFile.read("\(folder)/trace") {
        case .success(let text): return Self.parse(text)
        case .failure(let error): throw Problem(description: "\(folder)/trace: \(error)")
        }
    }

    static func parse(_ text: String) -> (events: [KernelEvent], lost: Int) {
        var events: [KernelEvent] = []
        var lost = 0
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") {
                lost = max(lost, lostEvents(line))
            } else if let event = KernelEvent(traceLine: line) {
                events.append(event)
            }
        }
        return (events, lost)
    }

    /// `# entries-in-buffer/entries-written: 205/305   #P:1`
    private static func lostEvents(_ line: Substring) -> Int {
        guard let mark = line.firstRange(of: "entries-written:") else { return 0 }
        let numbers = line[mark.upperBound...].split(separator: " ").first?.split(separator: "/").compactMap { Int($0) }
        guard let numbers, numbers.count == 2 else { return 0 }
        return max(0, numbers[1] - numbers[0])
    }
}
