// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation

/// The built command, run as people run it.
enum Program {
    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    /// The products lie beside the test program.
    static let url = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "likex")

    static func run(_ arguments: String...) throws -> Result { try run(arguments) }

    static func run(_ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = url
        process.arguments = arguments
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // Killed rather than asked to end: a program started from a pool's thread has most signals blocked.
        let identifier = process.processIdentifier
        let watchdog = DispatchWorkItem { kill(identifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 60, execute: watchdog)
        defer { watchdog.cancel() }
        // What the command prints here fits in a pipe: one after the other can't block it.
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let messages = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Result(
            status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            output: text, errors: messages)
    }

    /// A directory with a guest's file in it, gone after `body`.
    static func withGuest<Value>(
        _ bytes: [UInt8], table: String? = nil, _ body: (String) throws -> Value
    ) throws -> Value {
        let directory = FileManager.default.temporaryDirectory.appending(path: "likex-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appending(path: "guest.bin")
        try Data(bytes).write(to: file)
        if let table {
            try table.write(to: directory.appending(path: "guests.json"), atomically: true, encoding: .utf8)
        }
        return try body(file.path)
    }
}
