// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import Bench
import FoundationEssentials
import KVM
import Pictures
import Simulator
import TestMachine

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures what exits, faults, a VM's life and a VM's memory cost.",
        discussion: """
            Ticks are of this machine's TSC; on the simulated device, exits and faults are in ticks of its own. Each figure is \
            a median. Memory and threads are the whole machine's: let nothing else run. \
            'make bench' does this in the emulated machine. Groups: \
            \(Suite.Group.allCases.map(\.rawValue).joined(separator: " ")).

            EXAMPLES:
              likex bench --device sim --rounds 10
              likex bench --device /dev/kvm,/dev/rust_kvm --idle 100,1000
              likex bench --device /dev/rust_kvm --only life --only exit --json
              likex bench --from build/bench/6.1.json --svg bench.svg
            """)

    @Option(
        help: ArgumentHelp(
            "The device; or some with commas between, compared with the first (default: as with 'likex run').",
            valueName: "path"))
    var device: String?

    @Option(
        help: ArgumentHelp(
            "How often exits are measured; what costs more, an eighth or a sixteenth as often.", valueName: "count"))
    var rounds = 200

    @Option(help: ArgumentHelp("How many idle VMs to measure beside, in turn.", valueName: "a,b..."))
    var idle = "100"

    @Option(help: ArgumentHelp("Measure this group alone; can be repeated.", valueName: "group"))
    var only: [OneOf<Suite.Group>] = []

    @Option(help: ArgumentHelp("Measure nothing: show what --json printed before.", valueName: "file"))
    var from: String?

    @Option(help: ArgumentHelp("Draw the figures into this file.", valueName: "file"))
    var svg: String?

    @Flag(help: "Print one JSON object instead.")
    var json = false

    @Flag(help: "Say on standard error what is measured, line by line; on a terminal it is shown anyway.")
    var progress = false

    private var paths: [String]? {
        device?.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    private var counts: [Int]? {
        let counts = idle.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard counts.allSatisfy({ $0.map { (1...100_000).contains($0) } ?? false }) else { return nil }
        return counts.compactMap { $0 }.sorted()
    }

    func validate() throws {
        guard (1...1_000_000).contains(rounds) else {
            throw ValidationError("--rounds is \(rounds): give a number from 1 to 1000000")
        }
        guard paths?.contains("") != true else {
            throw ValidationError(
                "--device is '\(device ?? "")': give a path, or some with commas between, /dev/kvm,/dev/rust_kvm")
        }
        guard counts != nil else {
            throw ValidationError("--idle is '\(idle)': give numbers from 1 to 100000 with commas between, 100,1000")
        }
        guard from == nil || device == nil else {
            throw ValidationError("--from shows what was measured, --device says what to measure: not both")
        }
    }

    func run() throws {
        let report = try from.map { try saved($0) } ?? measure()
        if json {
            Console.print(try TestMachine.json(report))
        } else {
            show(report)
        }
        if let svg { try Picture.write(BenchPicture(report).text, to: svg) }
        if report.devices.contains(where: { !$0.problems.isEmpty }) { throw ExitCode(1) }
    }

    private func saved(_ path: String) throws -> BenchReport {
        switch SystemFile.read(path) {
        case .failure(let error): throw MachineError.settings("\(path) can't be read: \(error)")
        case .success(let text):
            do {
                return try JSONDecoder().decode(BenchReport.self, from: Data(text.utf8))
            } catch {
                throw MachineError.settings("\(path) is not what 'likex bench --json' prints: \(error)")
            }
        }
    }

    private func measure() throws -> BenchReport {
        let devices = try (paths ?? [DeviceOptions.found()]).map { path in
            // A device that isn't there is told of at once.
            _ = try DeviceOptions.open(path)
            return BenchDevice(path: path, in: try SimulatedKernel.ifNamed(path))
        }
        let counts = counts ?? []
        SystemFile.raiseFileLimit(to: 2 * (counts.last ?? 0) + 64)
        let host = BenchHost(
            read: { path in try? SystemFile.read(path).get() },
            bytes: { path in FileManager.default.contents(atPath: path).map { [UInt8]($0) } },
            openFiles: { try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count })
        let shown = Progress()
        defer { shown.clear() }
        let options = Suite.Options(rounds: rounds, idle: counts, only: only.map(\.value))
        return Suite(options, host: host) { line in
            if progress { Console.error("likex: \(line)") } else { shown.show(line) }
        }.run(devices)
    }

    private func show(_ report: BenchReport) {
        let shown = BenchTable(report)
        let lines = shown.table.lines()
        Console.print(Console.coloured("Linux \(report.kernel), medians of \(report.rounds) rounds", .bold))
        Console.print(Console.coloured(lines[0], .bold))
        for (line, verdict) in zip(lines.dropFirst(), shown.verdicts) {
            Console.print(verdict.map { Console.coloured(line, $0 ? .green : .red) } ?? line)
        }
        Console.print("")
        shown.foot.forEach(Console.print)
    }
}
