// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import Testing

/// GNU as and objdump: what the decoder is measured against.
enum Binutils {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static func run(_ tool: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        process.environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin", "LC_ALL": "C"]
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let complaint = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                description: "\(tool) failed, is binutils installed? "
                    + String(decoding: complaint.prefix(2000), as: UTF8.self))
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func withDirectory<R>(_ body: (String) throws -> R) throws -> R {
        let path = NSTemporaryDirectory() + "/likex-core-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    /// The bytes of each instruction, in AT&T syntax, for code of `bits`: 16, 32 or 64.
    static func assemble(_ instructions: [String], bits: Int) throws -> [[UInt8]] {
        try withDirectory { directory in
            var source = ".code\(bits)\n"
            for instruction in instructions {
                source += "1: \(instruction)\n2: .pushsection .lengths, \"a\"; .byte 2b - 1b; .popsection\n"
            }
            try source.write(toFile: directory + "/x.s", atomically: false, encoding: .utf8)
            _ = try run("as", ["--64", "-o", directory + "/x.o", directory + "/x.s"])
            func section(_ name: String) throws -> [UInt8] {
                _ = try run("objcopy", ["-O", "binary", "-j", name, directory + "/x.o", directory + "/x.bin"])
                return try [UInt8](Data(contentsOf: URL(fileURLWithPath: directory + "/x.bin")))
            }
            let text = try section(".text")
            let lengths = try section(".lengths")
            guard lengths.count == instructions.count else {
                throw Failure(description: "as: \(lengths.count) lengths for \(instructions.count) instructions")
            }
            var at = 0
            return lengths.map { length in
                defer { at += Int(length) }
                return Array(text[at..<at + Int(length)])
            }
        }
    }

    struct Line {
        let length: Int
        let text: String
    }

    /// What objdump says of the first instruction of each chunk.
    static func disassemble(_ chunks: [[UInt8]], bits: Int) throws -> [Line] {
        let stride = 32
        return try withDirectory { directory in
            var image: [UInt8] = []
            for chunk in chunks {
                precondition(chunk.count <= 15)
                // NOPs: wherever the chunk's own instructions end, objdump is in step again at the next one.
                image += chunk + [UInt8](repeating: 0x90, count: stride - chunk.count)
            }
            try Data(image).write(to: URL(fileURLWithPath: directory + "/x.bin"))
            let machine = bits == 64 ? "i386:x86-64" : bits == 32 ? "i386" : "i8086"
            let listing = try run(
                "objdump", ["-D", "-z", "-b", "binary", "-m", machine, "--insn-width=16", directory + "/x.bin"])
            var first = [Int: Line]()
            for line in listing.split(separator: "\n") {
                let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
                guard columns.count >= 3, columns[0].hasSuffix(":"),
                    let address = Int(columns[0].dropLast().drop { $0 == " " }, radix: 16), address % stride == 0
                else { continue }
                first[address / stride] = Line(
                    length: columns[1].split(separator: " ").count, text: columns[2...].joined(separator: " "))
            }
            return try chunks.indices.map { index in
                guard let line = first[index] else {
                    throw Failure(description: "objdump says nothing of chunk \(index): \(chunks[index])")
                }
                return line
            }
        }
    }
}
