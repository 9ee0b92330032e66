// SPDX-License-Identifier: MIT OR GPL-2.0-only
// generate-abi TABLE.def OUTPUT.swift: the build-tool plugin GenerateABI runs it.
import ABIGenerator
import Foundation

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data((message + "\n").utf8))
    exit(1)
}

guard CommandLine.arguments.count == 3 else { fail("usage: generate-abi TABLE.def OUTPUT.swift") }
let input = URL(filePath: CommandLine.arguments[1])
let output = URL(filePath: CommandLine.arguments[2])
guard let emitter = Emitter.all.first(where: { $0.table == input.lastPathComponent }) else {
    fail("\(input.path): error: no Swift view is known of this table")
}
do {
    let swift = try emitter.swift(from: try String(contentsOf: input, encoding: .utf8))
    try swift.write(to: output, atomically: true, encoding: .utf8)
} catch let error as TableError {
    fail(input.deletingLastPathComponent().path + "/" + error.description)
} catch {
    fail("\(input.path): error: \(error.localizedDescription)")
}
