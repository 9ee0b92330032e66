// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import TestMachine

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs guests on two devices or more and shows them side by side.",
        discussion: """
            Each guest starts in the same state, with the same CPUID, on all devices. What it prints, how it ends, \
            every exit, the registers and all of its memory must be the same; what it costs may differ. A guest that \
            guests.json expects something of must do that too. The exit status is 1 if any guest fails.

            Of more than two devices, each is compared with the first. The simulated one is called sim.

            EXAMPLES:
              likex compare build/guests/likex.bin
              likex compare build/guests/*.bin --verbose
              likex compare build/guests/*.bin --devices /dev/kvm,/dev/rust_kvm --json
              likex compare build/guests/*.bin --devices sim,/dev/rust_kvm,/dev/kvm
            """)

    @Argument(help: ArgumentHelp("The guests: flat binaries.", valueName: "guest"))
    var paths: [String]

    @Option(help: ArgumentHelp("The devices, two or more.", valueName: "a,b..."))
    var devices = "\(Devices.stock),\(Devices.likex)"

    @OptionGroup(title: "Start of the guests") var options: GuestOptions

    @Flag(help: "Show all of every guest, not only of those that differ.")
    var verbose = false

    @Flag(help: "Print one JSON object instead.")
    var json = false

    private var devicePaths: [String] {
        devices.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    func validate() throws {
        guard devicePaths.count >= 2, !devicePaths.contains("") else {
            throw ValidationError(
                "--devices is '\(devices)': give two paths or more with commas between, /dev/kvm,/dev/rust_kvm")
        }
    }

    func run() throws {
        // All files are read first: a slip in the last one should not show up after minutes.
        let files = try paths.map(options.file)
        let open = try devicePaths.map { try OpenDevice($0) }
        let cpuid = CPUIDTable.common(try open.map { try $0.system.offeredCPUID() })

        let progress = Progress()
        var report = ComparisonReport(devices: devicePaths)
        var summary = CompareSummary(devices: devicePaths)
        for (index, file) in files.enumerated() {
            let missing = file.guest.missingFeatures(in: cpuid)
            guard missing.isEmpty else {
                report.add(.init(skipped: file.guest, missing: missing))
                summary.skip(file.guest, missing)
                continue
            }
            let place = "\(index + 1)/\(files.count) \(file.guest.name)"
            progress.show(place)
            let runs = try open.map { device in
                try Comparison.Run(of: file.guest, image: file.image, on: device.system, cpuid: cpuid) {
                    device, exits in
                    progress.show("\(place) on \(device): \(exits) exits")
                }
            }
            progress.clear()
            let comparisons = runs.dropFirst().map { Comparison(file.guest, runs[0], $0) }
            summary.add(file.guest, runs, comparisons)
            for comparison in comparisons {
                report.add(.init(comparison))
                if !json, verbose || files.count == 1 || comparison.verdict != .same {
                    show(comparison, all: verbose || files.count == 1 || comparison.verdict == .different)
                }
            }
        }
        if json {
            Console.print(try TestMachine.json(report))
        } else {
            summary.print()
        }
        if !report.same { throw ExitCode(1) }
    }

    /// An array can't hold what can't be copied.
    private final class OpenDevice {
        let system: System
        init(_ path: String) throws(MachineError) { system = try DeviceOptions.open(path) }
    }

    /// - Parameter all: whether what is the same is shown too, not only what is wrong.
    private func show(_ comparison: Comparison, all: Bool) {
        let about = comparison.guest.about.isEmpty ? "" : ": \(comparison.guest.about)"
        Console.print(Console.coloured(comparison.guest.name, .bold) + about)
        let text = ComparisonText(comparison)
        (all ? text.lines : text.problemLines).forEach(Console.print)
        Console.print("")
    }
}
