// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import TestMachine

/// The command `likex`.
@main
struct Likex: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "likex",
        abstract: "Drives LiKeX, a light KVM, and any other device that speaks KVM's ABI.",
        discussion: """
            EXAMPLES:
              likex doctor                              what this machine has and lacks
              likex test-vm                             LiKeX's test guest: prints 4
              likex run build/guests/mmio.bin           one guest, on the default device
              likex compare build/guests/*.bin          every guest on /dev/kvm and /dev/rust_kvm
              likex move build/guests/*.bin             every guest, moved to a new VM at each exit
              likex ept build/guests/mmio.bin           the page tables that the guest left, as a tree
              likex trace build/guests/mmio.bin         every exit over time
              likex boot --kernel vmlinux --initrd i.img Linux in a microVM
              likex bench --device sim                  what exits, faults and a VM's life cost

            EXIT STATUS:
              0  all is well
              1  a guest didn't do what it must, or two devices differ
              2  the command line, a guest's file or its settings are wrong
              3  a device can't be opened, or refused a call
            """,
        version: "0.1.0",
        subcommands: [Doctor.self, TestVM.self, Run.self, Compare.self, Move.self, Ept.self, Trace.self, BenchCommand.self, BootCommand.self])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as MachineError {
            Console.error("likex: \(error)")
            exit(withError: error.status)
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            Console.error(fullMessage(for: error))
            exit(withError: ExitCode(2))
        }
    }
}

extension MachineError {
    /// The command's exit status.
    var status: ExitCode {
        switch self {
        case .settings: ExitCode(2)
        case .device: ExitCode(3)
        }
    }
}
