// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import TestMachine

struct Move: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs guests twice, the second time moved to a new VM at each exit, and compares.",
        discussion: """
            At each of its exits the guest is stopped, what the exit left unfinished is finished (KVM_RUN with \
            immediate_exit), and all of its state is taken out: registers, special registers, XSAVE, XCR0, debug \
            registers, events, MSRs by the device's list, CPUID, the VM's clock, memory. A new VM gets all of it and \
            goes on; the old one is gone. What the guest prints, how it ends, every exit, the registers and all of its \
            memory must be the same as where it was stopped so, and not moved. The exit status is 1 if any guest fails.

            EXAMPLES:
              likex move build/guests/*.bin --device sim
              likex move build/guests/interrupts_long.bin --device /dev/kvm --json
            """)

    @Argument(help: ArgumentHelp("The guests: flat binaries.", valueName: "guest"))
    var paths: [String]

    @OptionGroup(title: "Device") var device: DeviceOptions
    @OptionGroup(title: "Start of the guests") var options: GuestOptions

    @Flag(help: "Print one JSON object instead.")
    var json = false

    func validate() throws {
        if device.oneFile { throw ValidationError("--one-file has one VM at a time: a guest can't be moved") }
    }

    func run() throws {
        let files = try paths.map(options.file)
        let system = try device.open()
        let cpuid = try system.guestCPUID()
        let names = [system.path, "\(system.path), moved"]
        let progress = Progress()
        var report = ComparisonReport(devices: names)
        var summary = CompareSummary(devices: names)
        for (index, file) in files.enumerated() {
            let missing = file.guest.missingFeatures(in: cpuid)
            guard missing.isEmpty else {
                report.add(.init(skipped: file.guest, missing: missing))
                summary.skip(file.guest, missing)
                continue
            }
            let place = "\(index + 1)/\(files.count) \(file.guest.name)"
            let runs = try [Comparison.Run.Stops.finished, .moved].map { stops in
                try Comparison.Run(of: file.guest, image: file.image, on: system, cpuid: cpuid, stops: stops) {
                    progress.show("\(place) on \($0): \($1) exits")
                }
            }
            progress.clear()
            let comparison = Comparison(file.guest, runs[0], runs[1])
            report.add(.init(comparison))
            summary.add(file.guest, runs, [comparison])
            if !json, comparison.verdict != .same {
                Console.print(Console.coloured(comparison.guest.name, .bold))
                ComparisonText(comparison).problemLines.forEach(Console.print)
            }
        }
        if json {
            Console.print(try TestMachine.json(report))
        } else {
            summary.print()
        }
        if !report.same { throw ExitCode(1) }
    }
}
