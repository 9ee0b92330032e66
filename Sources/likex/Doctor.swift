// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import FoundationEssentials
import KVM
import TestMachine

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says what this machine has of what LiKeX needs, and what to do about the rest.",
        discussion: """
            Looks at the CPU, the kernel modules and the devices. Nothing is changed. The exit status is 1 if anything \
            that LiKeX needs is missing.

            EXAMPLES:
              likex doctor
              likex doctor --json
            """)

    @Flag(help: "Print one JSON object instead.")
    var json = false

    private struct Report: Encodable {
        let ready: Bool
        let checks: [Checkup]
    }

    func run() throws {
        let checks = Self.checks()
        let ready = !checks.contains { $0.status == .missing }
        if json {
            Console.print(try TestMachine.json(Report(ready: ready, checks: checks)))
        } else {
            for check in checks { Self.show(check) }
            Console.print("")
            Console.print(
                ready
                    ? Console.coloured("This machine is ready for LiKeX.", .green)
                    : Console.coloured("This machine is not ready for LiKeX on its own hardware.", .red))
        }
        if !ready { throw ExitCode(1) }
    }

    static func checks() -> [Checkup] {
        let facts = ProcessorFacts(
            vendor: vendor(), cpuidHasVMX: Host.cpuid(1).ecx & (1 << 5) != 0, cpuinfo: read("/proc/cpuinfo"))
        let modules = read("/proc/modules")
        return Checkup.processor(facts) + [
            .module(
                "likex", in: modules, load: "as root: make run DEVICE=host builds it for this kernel and tries it",
                needed: true),
            .device(Devices.likex, needed: true),
            .module(
                "kvm_intel", in: modules, load: "only 'likex compare' needs it; as root: modprobe kvm_intel",
                needed: false),
            .device(Devices.stock, needed: false),
        ]
    }

    private static func show(_ check: Checkup) {
        let mark =
            switch check.status {
            case .good: Console.coloured("ok     ", .green)
            case .missing: Console.coloured("MISSING", .red)
            case .note: Console.coloured("note   ", .yellow)
            }
        Console.print("\(mark)  \(check.what): \(check.found)")
        if let advice = check.advice { Console.print("         -> \(advice)") }
    }

    private static func read(_ path: String) -> String {
        // Files of /proc say that they are empty, and are read all the same.
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }

    private static func vendor() -> String {
        let leaf = Host.cpuid(0)
        let bytes = [leaf.ebx, leaf.edx, leaf.ecx].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
