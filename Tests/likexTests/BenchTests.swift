// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import Testing

@Suite("likex bench")
struct BenchCommandTests {
    @Test("measured as JSON, shown again as a table and as a picture")
    func simulator() throws {
        let measured = try Program.run(
            "bench", "--device", "sim,sim", "--rounds", "4", "--idle", "2", "--only", "exit", "--only", "idle", "--json"
        )
        #expect(measured.status == 0 && measured.errors.isEmpty)
        let report = try #require(try JSONSerialization.jsonObject(with: Data(measured.output.utf8)) as? [String: Any])
        #expect((report["devices"] as? [[String: Any]])?.compactMap { $0["path"] as? String } == ["sim", "sim"])
        try Program.withGuest(Array(measured.output.utf8)) { file in
            let picture = file + ".svg"
            let shown = try Program.run("bench", "--from", file, "--svg", picture)
            #expect(shown.status == 0 && shown.errors.isEmpty)
            #expect(shown.output.contains("exit to user space: OUT, 2 idle VMs"))
            #expect(shown.output.contains("not a cycle"))
            #expect(try String(contentsOfFile: picture, encoding: .utf8).hasPrefix("<?xml"))
        }
    }

    @Test("progress, line by line, where it is asked for")
    func progress() throws {
        let result = try Program.run("bench", "--device", "sim", "--rounds", "1", "--only", "slot", "--progress")
        #expect(result.status == 0 && result.errors == "likex: sim: slots\n")
        #expect(result.output.contains("adding a slot"))
    }

    @Test("without --device, the one that there is")
    func isTheDefault() throws {
        let result = try Program.run("bench", "--rounds", "1", "--only", "module")
        #expect(result.status == 0 && result.errors.hasPrefix("likex: using "))
    }

    @Test(
        "what is wrong is said",
        arguments: [
            (["--rounds", "0"], "--rounds is 0"), (["--device", "sim,"], "--device is 'sim,'"),
            (["--idle", "10,x"], "--idle is '10,x'"),
            (["--only", "nothing"], "nothing"),
            (["--from", "/nonexistent"], "/nonexistent can't be read"),
            (["--from", "/proc/version"], "is not what 'likex bench"),
            (["--from", "a", "--device", "sim"], "not both"),
        ])
    func usage(_ arguments: [String], _ message: String) throws {
        let result = try Program.run(["bench"] + arguments)
        #expect(result.status == 2 && result.errors.contains(message))
    }
}
