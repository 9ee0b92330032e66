// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import KVM
import Testing

@testable import likex

@Suite("likex ept and likex trace")
struct InspectTests {
    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    /// mov %al, 0x5000; out %al, $0x10; hlt
    private static let program: [UInt8] = [0xA2, 0x00, 0x50, 0xE6, 0x10, 0xF4]

    /// What is in a file that the command makes, and what it prints.
    private func drawing(_ arguments: (String) -> [String]) throws -> (Program.Result, String?) {
        try Program.withGuest(Self.program) { guest in
            let file = URL(filePath: guest).deletingLastPathComponent().appending(path: "picture.svg").path
            let result = try Program.run(arguments(guest) + ["--svg", file])
            return (result, try? String(contentsOfFile: file, encoding: .utf8))
        }
    }

    @Test func tree() throws {
        let (result, picture) = try drawing { ["ept", $0, "--device", "sim"] }
        #expect(result.status == 0 && result.errors.isEmpty)
        let lines = result.output.split(separator: "\n")
        #expect(lines[0] == "guest: hlt: the guest halted, with no interrupt to wake it")
        #expect(lines[1].contains("on sim: 48-bit addresses, 4 tables, 2 pages mapped (8 KiB)"))
        let leaves = lines.filter { $0.contains("WB") }.map {
            $0.split(separator: " ").suffix(6).joined(separator: " ")
        }
        #expect(leaves == ["0x0-0xfff 4 KiB rwx WB A-", "0x5000-0x5fff 4 KiB rwx WB AD"])
        #expect(picture?.hasPrefix("<?xml") == true && picture?.contains("0x5000-0x5fff") == true)
    }

    @Test func treeInJSON() throws {
        let result = try Program.withGuest(Self.program) { try Program.run("ept", $0, "--device", "sim", "--json") }
        let report = try object(result.output)
        #expect(report["guest"] as? String == "guest" && report["end"] as? String == "hlt")
        let vm = try #require((report["vms"] as? [[String: Any]])?.first)
        let entries = try #require(vm["entries"] as? [[String: Any]])
        #expect(entries.map { $0["table"] as? String } == ["PML4", "PDPT", "PD", "PT", "PT"])
        #expect(entries.last?["address"] as? String == "0x5000" && entries.last?["dirty"] as? Bool == true)
    }

    private static let saved = """
        likex-ept 1
        vm 7 pid 812 frames 0x8000000 tables 4 ad 1
        table 4 0x0 1 0x107
        table 3 0x0 1 0x107
        table 2 0x0 1 0x107
        leaf 1 0x3000 4 0x377
        end
        vm 8 pid 812 frames 0x8000000 tables 1 ad 1
        end
        vm 9 pid 900 frames 0x8000000 tables 1 ad 0
        gone

        """

    @Test("a copy of the module's file: all of its VMs, one process's, one")
    func saved() throws {
        try Program.withGuest(Array(Self.saved.utf8)) { file in
            let all = try Program.run("ept", "--debugfs", file)
            #expect(all.status == 0)
            #expect(all.output.split(separator: "\n").filter { $0.hasPrefix("VM ") }.count == 3)
            #expect(all.output.contains("0x3000-0x6fff") && all.output.contains("4 x 4 KiB"))
            #expect(all.output.contains("VM 9 of process 900") && all.output.contains("it ended while it was read"))
            let process = try object(try Program.run("ept", "--debugfs", file, "--pid", "812", "--json").output)
            #expect((process["vms"] as? [[String: Any]])?.map { $0["vm"] as? Int } == [7, 8])
            let one = try object(try Program.run("ept", "--debugfs", file, "--vm", "9", "--json").output)
            #expect((one["vms"] as? [[String: Any]])?.map { $0["complete"] as? Bool } == [false])

            let none = try Program.run("ept", "--debugfs", file, "--pid", "1")
            #expect(none.status == 2)
            #expect(
                none.errors.contains("no such VM: it has VM 7 of process 812, VM 8 of process 812, VM 9 of process 900")
            )
            let many = try Program.run("ept", "--debugfs", file, "--svg", "/tmp/never.svg")
            #expect(many.status == 2 && many.errors.contains("these are 3: choose one with --vm"))
        }
    }

    @Test("what is wrong is said")
    func refused() throws {
        let neither = try Program.run("ept")
        #expect(neither.status == 2 && neither.errors.contains("give a guest to run, or --pid, --vm or --debugfs"))
        let both = try Program.run("ept", "x", "--pid", "1")
        #expect(both.status == 2 && both.errors.contains("not both"))
        let missing = try Program.run("ept", "--debugfs", "/nonexistent/ept")
        #expect(missing.status == 3 && missing.errors.contains("open /nonexistent/ept: ENOENT"))
        try Program.withGuest(Array("hello\n".utf8)) { file in
            let text = try Program.run("ept", "--debugfs", file)
            #expect(text.status == 2 && text.errors.contains("line 1: this is not LiKeX's file of page tables"))
        }
        try Program.withGuest(Self.program) { guest in
            let stock = try Program.run("ept", guest, "--device", "/dev/kvm")
            #expect(stock.status == 2 && stock.errors.contains("use --device sim or /dev/rust_kvm"))
            let picture = try Program.run("ept", guest, "--device", "sim", "--svg", "/nonexistent/x.svg")
            #expect(picture.status == 2 && picture.errors.contains("/nonexistent/x.svg: the picture can't be written"))
        }
    }

    @Test func timeline() throws {
        let (result, picture) = try drawing { ["trace", $0, "--device", "sim"] }
        #expect(result.status == 0 && result.errors.isEmpty)
        #expect(result.output.contains("guest on sim: 4 exits, 2 to user space"))
        #expect(result.output.contains("write at 0x5000: mapped") && result.output.contains("io out 0x10 1 byte: 00"))
        #expect(picture?.contains("EPT_VIOLATION") == true && picture?.contains("vCPU 0") == true)
    }

    @Test func timelineInJSON() throws {
        let result = try Program.withGuest(Self.program) { try Program.run("trace", $0, "--device", "sim", "--json") }
        let report = try object(result.output)
        #expect(report["source"] as? String == "simulator" && report["lostEvents"] as? Int == 0)
        let exits = try #require(report["exits"] as? [[String: Any]])
        #expect(exits.map { $0["exit"] as? String } == ["EPT_VIOLATION", "EPT_VIOLATION", "IO_INSTRUCTION", "HLT"])
        let times = exits.compactMap { $0["time"] as? Int }
        #expect(times == times.sorted() && times.count == 4)
    }

    @Test(
        "stock KVM: what comes to user space, and why not more",
        .enabled(if: HostDevice.problem == nil, HostDevice.skipped))
    func stock() throws {
        try Program.withGuest(Self.program) { guest in
            let result = try Program.run("trace", guest, "--device", HostDevice.path)
            #expect(result.status == 0)
            #expect(
                result.errors.contains("only exits to user space are shown: /dev/kvm has none of LiKeX's trace points"))
            #expect(result.output.contains("2 exits to user space"))
        }
    }

    @Test("a tracefs file: events, and those that there was no room for")
    func traceFile() {
        let text = """
            # tracer: nop
            #
            # entries-in-buffer/entries-written: 2/30   #P:1
            #
                       likex-812     [000] d..1.      1000: likex_entry: vcpu 0 rip 0x0
            CPU:0 [LOST 28 EVENTS]
                       likex-812     [000] d..1.      1200: likex_exit: vcpu 0 reason 0xc qualification 0x0 rip 0x7 interruption 0x0 vectoring 0x0
            """
        let (events, lost) = TracePoints.parse(text)
        #expect(events.map(\.time) == [1000, 1200] && lost == 28)
    }

    @Test("trace points that can't be had: why")
    func noTracePoints() throws {
        #expect(throws: TracePoints.Problem.self) { _ = try TracePoints.begin(root: "/nonexistent") }
        do throws(TracePoints.Problem) {
            _ = try TracePoints.begin(root: "/nonexistent")
        } catch {
            #expect(error.description == "tracefs isn't at /nonexistent: mount -t tracefs tracefs /nonexistent")
        }
    }
}
