// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@Suite("What is wrong on the command line is said, with exit status 2, or 3 for a device")
struct UsageTests {
    private func check(
        _ result: Program.Result, _ status: Int32, _ message: String, location: SourceLocation = #_sourceLocation
    ) {
        #expect(result.status == status, sourceLocation: location)
        #expect(result.errors.contains(message), "\(result.errors)", sourceLocation: location)
        #expect(result.output.isEmpty, sourceLocation: location)
    }

    @Test func help() throws {
        for arguments in [
            ["--help"], ["help", "run"], ["compare", "--help"], ["doctor", "--help"], ["test-vm", "-h"],
            ["ept", "--help"], ["trace", "--help"], ["boot", "--help"],
        ] {
            let result = try arguments.count == 1 ? Program.run(arguments[0]) : Program.run(arguments[0], arguments[1])
            #expect(result.status == 0)
            #expect(result.output.contains("EXAMPLES:"), "\(arguments)")
            #expect(result.errors.isEmpty)
        }
    }

    @Test func commands() throws {
        check(try Program.run("fly"), 2, "Unexpected argument 'fly'")
        check(try Program.run("run"), 2, "Missing expected argument '<guest>'")
        check(try Program.run("compare"), 2, "Missing expected argument '<guest> ...'")
        check(try Program.run("run", "--fast", "x"), 2, "Unknown option '--fast'")
    }

    @Test func boot() throws {
        check(try Program.run("boot"), 2, "which kernel? --kernel FILE")
        check(try Program.run("boot", "--kernel", "x", "--memory", "lots"), 2, "memory is \"lots\"")
        check(try Program.run("boot", "--kernel", "x", "--cpus", "65"), 2, "cpus is 65, wanted: a number from 1 to 64")
        check(try Program.run("boot", "--kernel", "x", "--vsock", "here"), 2, "--vsock here: a number and a path are wanted")
        check(try Program.run("boot", "--kernel", "x", "--device", "sim"), 2, "can't boot Linux yet")
        check(try Program.run("boot", "--config", "/nonexistent"), 2, "the settings /nonexistent can't be read: ENOENT")
        // From here on it is likex-vmm that says so.
        check(try Program.run("boot", "--kernel", "/nonexistent"), 2, "likex-vmm: the kernel /nonexistent: No such file or directory")
    }

    @Test func values() throws {
        check(try Program.run("run", "x", "--load", "0xzz"), 2, "The value '0xzz' is invalid for '--load <address>'")
        check(try Program.run("run", "x", "--mode", "real8"), 2, "real16")
        check(try Program.run("run", "x", "--register", "cr3=1"), 2, "'cr3=1'")
        check(try Program.run("run", "x", "--memory", "1:2:3:4"), 2, "'1:2:3:4'")
        check(try Program.run("run", "x", "--timeout", "0"), 2, "--timeout is 0.0 seconds")
        check(try Program.run("run", "x", "--exits", "0"), 2, "--exits is 0")
        check(try Program.run("compare", "x", "--devices", "/dev/kvm"), 2, "two paths or more with commas")
        check(try Program.run("compare", "x", "--devices", "/dev/kvm,"), 2, "two paths or more with commas")
    }

    @Test func files() throws {
        check(try Program.run("run", "/nonexistent.bin"), 2, "/nonexistent.bin: there is no such file")
        check(try Program.run("compare", "/tmp"), 2, "/tmp is a directory")
        try Program.withGuest([]) { check(try Program.run("run", $0), 2, "is empty") }
        try Program.withGuest([0xf4], table: "{") { check(try Program.run("run", $0), 2, "guests.json: is not JSON") }
        try Program.withGuest([0xf4]) {
            check(try Program.run("run", $0, "--check"), 2, "--check needs guests.json")
        }
    }

    @Test func devices() throws {
        check(try Program.run("test-vm", "--device", "/nonexistent/kvm"), 3, "ENOENT")
        check(try Program.run("test-vm", "--device", "/dev/null"), 3, "/dev/null is not a KVM-compatible device")
        try Program.withGuest([0xf4]) {
            check(try Program.run("compare", $0, "--devices", "/nonexistent/a,/dev/null"), 3, "open /nonexistent/a")
        }
    }
}
