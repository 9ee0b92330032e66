// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import Testing

/// The simulated device, which every machine has.
@Suite("The command on the simulated device")
struct SimulatedDeviceTests {
    @Test("the test VM, in both ways to use a device", arguments: [[], ["--one-file"]])
    func testVM(_ options: [String]) throws {
        let result = try Program.run(["test-vm", "--device", "sim"] + options)
        #expect(result.status == 0)
        #expect(result.output.hasPrefix("4\nok: sim ran it in 3 exits"))
        #expect(result.errors.isEmpty)
    }

    @Test("it is the default where there is no device, and one line says so")
    func isTheDefault() throws {
        let result = try Program.run(["test-vm"])
        #expect(result.status == 0)
        let lines = result.errors.split(separator: "\n")
        #expect(lines.count == 1)
        let exists = { FileManager.default.fileExists(atPath: $0) }
        let expected =
            if exists("/dev/rust_kvm") {
                "likex: using /dev/rust_kvm"
            } else if exists("/dev/kvm") {
                "likex: using /dev/kvm, there is no /dev/rust_kvm"
            } else {
                "likex: using sim, the simulated device: there is neither /dev/rust_kvm nor /dev/kvm"
            }
        #expect(lines.first.map(String.init) == expected)
    }

    @Test("three devices: each is compared with the first")
    func compareThree() throws {
        try Program.withGuest([0xE6, 0x10, 0xF4]) { path in
            let result = try Program.run("compare", path, "--devices", "sim,sim,sim")
            #expect(result.status == 0)
            #expect(result.output.contains("1 guest: 1 same"))
            let json = try Program.run("compare", path, "--devices", "sim,sim,sim", "--json").output
            let report = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
            #expect(report["same"] as? Bool == true)
            #expect(report["devices"] as? [String] == ["sim", "sim", "sim"])
            #expect((report["guests"] as? [[String: Any]])?.count == 2)
        }
    }

    @Test("what differs on one of three devices is found")
    func compareFindsADifference() throws {
        // rdtsc; mov %eax, 0x1000; hlt: no two runs see the same time on a device that exists.
        try Program.withGuest([0x0F, 0x31, 0x66, 0xA3, 0x00, 0x10, 0xF4]) { path in
            let devices = "sim,sim,\(HostDevice.path)"
            let result = try Program.run("compare", path, "--devices", devices, "--memory", "0x0:8K")
            #expect(result.status == (HostDevice.problem == nil ? 1 : 3))
            if HostDevice.problem == nil { #expect(result.output.contains("1 guest: 1 different")) }
        }
    }
}
