// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import TestMachine

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a flat guest program on a device and prints how it went.",
        discussion: """
            The guest has one vCPU and no interrupt chip. Port 0x3f8 prints, 0xf4 ends the run with a status, 0xe0 \
            asks for an interrupt, 0xe1 for an NMI; HLT ends the run. Settings come from guests.json beside the \
            program when that has an entry of its name; options override them.

            EXAMPLES:
              likex run build/guests/likex.bin --device /dev/kvm
              likex run boot.bin --mode real16 --load 0x7c00 --memory 0x0:1M
              likex run kernel.bin --mode long64 --register rdi=0x5000 --trace
              likex run build/guests/mmio.bin --check --json
            """)

    @Argument(help: ArgumentHelp("The guest: a flat binary.", valueName: "guest"))
    var path: String

    @OptionGroup(title: "Device") var device: DeviceOptions
    @OptionGroup(title: "Start of the guest") var options: GuestOptions

    @Flag(help: "Fail unless the guest does what guests.json expects of it.")
    var check = false

    @Flag(help: "Print every exit.")
    var trace = false

    @Flag(help: "Print one JSON object instead.")
    var json = false

    func run() throws {
        let file = try options.file(path)
        let guest = file.guest
        if check, guest.expectation == nil {
            throw MachineError.settings(
                "\(path): --check needs guests.json beside it to have \"expect\" for \(guest.name)")
        }
        let system = try device.open()
        guard var machine = try Machine.make(file, on: system, device.personality) else { return }
        let progress = Progress()
        let outcome = try machine.run { progress.show("\(guest.name): \($0) exits") }
        progress.clear()

        let failures = check ? guest.expectation?.failures(of: outcome) : nil
        if json {
            let report = RunReport(outcome, guest: guest, device: system.path, failures: failures)
            Console.print(try TestMachine.json(report))
        } else {
            RunText(outcome, guest: guest, device: system.path, trace: trace).print()
            for failure in failures ?? [] { Console.error("likex: \(guest.name): \(failure)") }
            if failures?.isEmpty == true { Console.print("as expected") }
        }
        if case .error(let error) = outcome.end { throw MachineError.device(path: system.path, error) }
        if failures?.isEmpty == false { throw ExitCode(1) }
    }
}
