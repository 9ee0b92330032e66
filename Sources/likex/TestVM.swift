// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import TestMachine

struct TestVM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test-vm",
        abstract: "Runs LiKeX's test guest, which prints 4, and says whether it did.",
        discussion: """
            EXAMPLES:
              likex test-vm
              likex test-vm --device /dev/kvm
              likex test-vm --device /dev/rust_kvm --one-file
            """)

    @OptionGroup(title: "Device") var device: DeviceOptions

    @Flag(help: "Print one JSON object instead.")
    var json = false

    func run() throws {
        let guest = Guest.likex
        let system = try device.open()
        var machine = try Machine(
            guest, image: Guest.likexImage, on: system, device.personality, cpuid: try system.guestCPUID())
        let outcome = try machine.run()
        let failures = guest.expectation?.failures(of: outcome) ?? []
        if json {
            Console.print(
                try TestMachine.json(RunReport(outcome, guest: guest, device: system.path, failures: failures)))
        } else {
            Console.printBytes(outcome.output)
            for failure in failures { Console.error("likex: test-vm on \(system.path): \(failure)") }
            if failures.isEmpty {
                Console.print(
                    "\(Console.coloured("ok", .green)): \(system.path) ran it in \(outcome.exits.count) exits, "
                        + "\(grouped(outcome.ticks)) ticks")
            }
        }
        if case .error(let error) = outcome.end { throw MachineError.device(path: system.path, error) }
        if !failures.isEmpty { throw ExitCode(1) }
    }
}
