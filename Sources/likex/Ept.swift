// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import Pictures
import Simulator
import TestMachine

struct Ept: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a VM's extended page tables as a tree and as a picture.",
        discussion: """
            Runs a guest as 'likex run' does and shows the tables that it has at its end; or, with --pid, --vm or \
            --debugfs, those of VMs that are running now. Entries that are alike are one line; what nothing maps is a \
            hole. Host addresses are never shown. A VM of the module is read from \(EPTSnapshot.path), as root.

            EXAMPLES:
              likex ept build/guests/long_paging.bin --device sim
              likex ept build/guests/mmio64_load.bin --device sim --svg ept.svg
              sudo likex ept build/guests/likex.bin --device /dev/rust_kvm --json
              sudo likex ept --pid 812
              likex ept --debugfs saved.txt --vm 3 --svg vm3.svg
            """)

    @Argument(help: ArgumentHelp("The guest to run: a flat binary.", valueName: "guest"))
    var path: String?

    @Option(help: ArgumentHelp("Show the VMs of this process instead.", valueName: "process"))
    var pid: Int32?

    @Option(help: ArgumentHelp("Show the VM of this number instead.", valueName: "number"))
    var vm: UInt64?

    @Option(
        help: ArgumentHelp("Read this file, or a copy of it (default: \(EPTSnapshot.path)).", valueName: "file"))
    var debugfs: String?

    @Option(help: ArgumentHelp("Draw the tree into this file.", valueName: "file"))
    var svg: String?

    @Flag(help: "Print one JSON object instead.")
    var json = false

    @OptionGroup(title: "Device") var device: DeviceOptions
    @OptionGroup(title: "Start of the guest") var options: GuestOptions

    private struct Report: Encodable {
        var guest: String?
        var end: String?
        let vms: [EPTReport]
    }

    func validate() throws {
        let selects = pid != nil || vm != nil || debugfs != nil
        if path == nil, !selects {
            throw ValidationError("give a guest to run, or --pid, --vm or --debugfs for VMs that are there already")
        }
        if path != nil, selects {
            throw ValidationError(
                "a guest is run, or --pid, --vm and --debugfs choose VMs that are there already: not both")
        }
    }

    func run() throws {
        guard let path else { return try showRunning() }
        let file = try options.file(path)
        let devicePath = device.choose()
        guard devicePath != Devices.stock else {
            throw MachineError.settings(
                "\(devicePath) shows nobody its page tables: use --device \(Devices.simulated) or \(Devices.likex)")
        }
        let simulator = try SimulatedKernel.ifNamed(devicePath)
        let system = try DeviceOptions.open(devicePath, in: simulator)
        guard var machine = try Machine.make(file, on: system, device.personality) else { return }
        let progress = Progress()
        let outcome = try machine.run { progress.show("\(file.guest.name): \($0) exits") }
        progress.clear()
        let snapshots =
            try simulator?.pageTables() ?? PageTablesFile().read { $0.process == SystemFile.processIdentifier }
        // It ends here and no earlier.
        withExtendedLifetime(machine) {}
        // The newest is the one that was just made.
        let newest = Array(snapshots.suffix(1))
        if !json { Console.print("\(file.guest.name): \(RunText.describe(outcome.end))") }
        try show(
            newest, devicePath, Report(guest: file.guest.name, end: outcome.end.name, vms: reports(newest, devicePath)))
        if case .error(let error) = outcome.end { throw MachineError.device(path: devicePath, error) }
    }

    private func showRunning() throws {
        let file = PageTablesFile(path: debugfs ?? EPTSnapshot.path)
        let snapshots = try file.read { (pid == nil || $0.process == pid) && (vm == nil || $0.id == vm) }
        try show(snapshots, file.path, Report(vms: reports(snapshots, file.path)))
    }

    private func reports(_ snapshots: [EPTSnapshot], _ device: String) -> [EPTReport] {
        snapshots.map { EPTReport($0, device: device) }
    }

    private func show(_ snapshots: [EPTSnapshot], _ device: String, _ report: Report) throws {
        if json {
            Console.print(try TestMachine.json(report))
        } else {
            for (number, snapshot) in snapshots.enumerated() {
                if number > 0 { Console.print("") }
                let text = EPTText(snapshot, device: device)
                Console.print(Console.coloured(text.title, .bold))
                text.lines.forEach(Console.print)
            }
        }
        guard let svg else { return }
        guard snapshots.count == 1, let snapshot = snapshots.first else {
            throw MachineError.settings("--svg draws one VM, and these are \(snapshots.count): choose one with --vm")
        }
        try Picture.write(EPTPicture(snapshot, device: device).text, to: svg)
    }
}

/// A picture's file.
enum Picture {
    static func write(_ text: String, to path: String) throws(MachineError) {
        guard let error = SystemFile.create(path, text) else { return }
        throw .settings("\(path): the picture can't be written: \(error)")
    }
}
