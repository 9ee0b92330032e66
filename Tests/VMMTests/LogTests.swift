// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import Foundation
import JSON
import KVM
import Testing

@testable import VMM

@Suite("The log and the metrics are lines of JSON")
struct LogTests {
    private func path() -> String { FileManager.default.temporaryDirectory.appending(path: "vmm-log-\(UUID().uuidString)").path }

    private func lines(_ path: String) throws -> [JSON] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasSuffix("\n"))
        return try text.split(separator: "\n").map { line throws(JSONError) in try JSONParser.parse(Array(line.utf8), limit: 1 << 20) }
    }

    @Test func times() {
        #expect(Log.text(seconds: 0, microseconds: 0) == "1970-01-01T00:00:00.000000Z")
        #expect(Log.text(seconds: 1_709_251_199, microseconds: 7) == "2024-02-29T23:59:59.000007Z")
        #expect(Log.text(seconds: 1_795_318_879, microseconds: 505_914) == "2026-11-22T03:41:19.505914Z")
    }

    @Test func appended() throws {
        let path = path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Log(path).write(.info, "one", "a \"message\"\nof two lines", [.init("number", 7)])
        try Log(path).write(.warning, "two", "b")
        let lines = try lines(path)
        #expect(lines.map { $0["event"]?.string } == ["one", "two"])
        #expect(lines.map { $0["level"]?.string } == ["info", "warning"])
        #expect(lines[0]["message"]?.string == "a \"message\"\nof two lines")
        #expect(lines[0]["number"]?.integer(as: Int.self) == 7)
        #expect(lines.allSatisfy { $0["time"]?.string?.utf8.count == 27 })
        let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(rights == 0o600)
    }

    @Test func exits() {
        let exits = ExitCounters()
        for exit in [Exit.endOfInterrupt(vector: 3), .intr, .shutdown, .hlt, .internalError(suberror: 1, data: [])] { exits.count(exit) }
        exits.countInterrupted()
        #expect(
            exits.json == [
                "portRead": 0, "portWrite": 0, "mmioRead": 0, "mmioWrite": 0, "endOfInterrupt": 1, "emulation": 1, "interrupted": 2, "other": 2,
            ])
    }

    @Test("A line each period, until nobody wants them any more")
    func metrics() throws {
        let path = path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let loop = try EventLoop()
        var count = 0
        let metrics = try Metrics(path, nanoseconds: 1_000_000, loop) {
            count += 1
            if count == 3 { loop.stop() }
            return ["count": JSON(count)]
        }
        try loop.run()
        #expect(try lines(path) == [["count": 1], ["count": 2], ["count": 3]])
        metrics.write()
        #expect(try lines(path).count == 4)
    }
}
