// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import Testing

/// What the command costs.
@Suite("Processor time of the command")
struct ProcessTimeTests {
    /// Sanitizers cost more than what is measured.
    private static let isSanitized =
        (try? Data(contentsOf: Program.url, options: .alwaysMapped))?.range(of: Data("__asan_init".utf8)) != nil

    /// Milliseconds of a processor that the command takes, in user space and in the kernel, however long it waits: bash tells.
    private func milliseconds(_ arguments: String) throws -> Double {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        let command = "TIMEFORMAT='%3U %3S'; time '\(Program.url.path)' \(arguments) >/dev/null"
        process.arguments = ["-c", command]
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let seconds = text.split(whereSeparator: \.isWhitespace).compactMap { Double(String($0)) }
        try #require(seconds.count == 2, "\(text)")
        return (seconds[0] + seconds[1]) * 1000
    }

    @Test("the test VM on the simulator takes less than 50 ms, even built for debugging", .enabled(if: !isSanitized))
    func testVM() throws {
        // The least of some: a busy machine's caches make it more, nothing makes it less.
        let times = try (0..<5).map { _ in try milliseconds("test-vm --device sim") }
        let least = try #require(times.min())
        #expect(least < 50, "\(times) ms")
    }
}
