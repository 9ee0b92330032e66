// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import KVM
import TestMachine
import Testing

/// This machine's /dev/kvm, where it is usable.
enum HostDevice {
    static let path = "/dev/kvm"
    static let problem: String? = {
        do throws(KVMError) {
            let system = try System(path: path)
            _ = try system.makeVirtualMachine()
            return nil
        } catch {
            return error.description
        }
    }()
    /// What is shown in place of a skipped test.
    static let skipped: Comment = "\(path) is not usable here: \(problem ?? "")"
}

@Suite("Guests on this machine's /dev/kvm", .enabled(if: HostDevice.problem == nil, HostDevice.skipped), .serialized)
struct RunTests {
    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func testVM() throws {
        let result = try Program.run("test-vm", "--device", HostDevice.path)
        #expect(result.status == 0)
        #expect(result.output.hasPrefix("4\nok: /dev/kvm ran it in 3 exits"))
        #expect(result.errors.isEmpty)
    }

    @Test func testVMInJSON() throws {
        let report = try object(try Program.run("test-vm", "--device", HostDevice.path, "--json").output)
        #expect(report["output"] as? String == "4\n")
        #expect(report["end"] as? String == "hlt")
        #expect(report["exitCounts"] as? [String: Int] == ["io": 2, "hlt": 1])
    }

    @Test("a status, a register and memory of the command line's")
    func run() throws {
        // mov %al, 0x1000; out %al, $0xf4
        try Program.withGuest([0xa2, 0x00, 0x10, 0xe6, 0xf4]) { path in
            let result = try Program.run(
                "run", path, "--device", HostDevice.path, "--register", "rax=0x2a", "--memory", "0x0:8K", "--json")
            #expect(result.status == 0)
            let report = try object(result.output)
            #expect(report["status"] as? Int == 42)
            let state = try #require(report["state"] as? [String: String])
            #expect(state["rip"] == "0x5", "the OUT that ends a run is finished before registers are read")
        }
    }

    @Test("a guest that doesn't do what it must: status 1, and what is wrong")
    func unexpected() throws {
        let table = #"{"guests": [{"name": "guest", "expect": {"end": "status", "output": "x"}}]}"#
        try Program.withGuest([0xf4], table: table) { path in
            let run = try Program.run("run", path, "--device", HostDevice.path, "--check")
            #expect(run.status == 1)
            #expect(run.errors.contains("guest: the end is hlt, expected status"))
            #expect(run.errors.contains("guest: the output is \"\", expected \"x\""))
            let compare = try Program.run("compare", path, "--devices", "/dev/kvm,/dev/kvm")
            #expect(compare.status == 1)
            #expect(compare.output.contains("not as expected on /dev/kvm: the end is hlt"))
            #expect(compare.output.contains("1 guest: 1 unexpected"))
        }
    }

    @Test("a guest that loops for ever is stopped", .timeLimit(.minutes(1)))
    func timeout() throws {
        try Program.withGuest([0xeb, 0xfe]) { path in
            let result = try Program.run("run", path, "--device", HostDevice.path, "--timeout", "0.2", "--json")
            #expect(result.status == 0)
            #expect(try object(result.output)["end"] as? String == "timeout")
        }
    }

    @Test("a guest that never stops exiting is stopped")
    func exitLimit() throws {
        // out %al, $0x10; jmp back
        try Program.withGuest([0xe6, 0x10, 0xeb, 0xfc]) { path in
            let report = try object(
                try Program.run("run", path, "--device", HostDevice.path, "--exits", "5", "--json").output)
            #expect(report["end"] as? String == "exit_limit")
            #expect(report["exitCounts"] as? [String: Int] == ["io": 5])
        }
    }

    @Test("memory that can't be: status 2; what the device refuses: status 3")
    func refused() throws {
        try Program.withGuest([0xf4]) { path in
            let outside = try Program.run("run", path, "--device", HostDevice.path, "--memory", "0x1000:4K")
            #expect(outside.status == 2)
            #expect(outside.errors.contains("is not inside one slot of its memory (slot 0 0x1000-0x1fff)"))
            let odd = try Program.run("run", path, "--device", HostDevice.path, "--memory", "0x0:4097")
            #expect(odd.status == 3)
            #expect(odd.errors.contains("KVM_SET_USER_MEMORY_REGION: EINVAL"))
        }
    }

    @Test("the same device twice: the same, in a table and in JSON")
    func compare() throws {
        try Program.withGuest([0xe6, 0x10, 0xf4]) { path in
            let result = try Program.run("compare", path, "--devices", "/dev/kvm,/dev/kvm")
            #expect(result.status == 0)
            #expect(result.output.contains("1 guest: 1 same"))
            let report = try object(try Program.run("compare", path, "--devices", "/dev/kvm,/dev/kvm", "--json").output)
            #expect(report["same"] as? Bool == true)
            #expect((report["guests"] as? [[String: Any]])?.count == 1)
        }
    }

    @Test("a guest that needs what the CPU doesn't have is skipped, and that is said")
    func skipped() throws {
        let table = #"{"guests": [{"name": "guest", "requires": ["vmx"], "expect": {"end": "hlt"}}]}"#
        try Program.withGuest([0xf4], table: table) { path in
            let result = try Program.run("compare", path, "--devices", "/dev/kvm,/dev/kvm")
            let offered = try System(path: HostDevice.path).supportedCPUID()
            let hasIt = try #require(CPUIDFeature.named("vmx")).isIn(offered)
            #expect(result.output.contains("1 guest: 1 \(hasIt ? "same" : "skipped")"))
            #expect(result.output.contains("skipped: no vmx") == !hasIt)
            #expect(result.status == 0)
        }
    }
}
