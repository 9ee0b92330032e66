// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import Pictures
import Simulator
import TestMachine

struct Trace: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a guest and shows its exits over time.",
        discussion: """
            Times are ticks of this machine's TSC since the guest began, on every device. An exit's cost is how long it \
            kept the guest from running: in the kernel, and in user space. VM exits that the kernel handles by itself \
            are told by the simulator, and by LiKeX's trace points, which only root may read; on other devices, and \
            without root, exits to user space are shown.

            EXAMPLES:
              likex trace build/guests/likex.bin --device sim
              likex trace build/guests/interrupts_long.bin --device sim --svg trace.svg
              sudo likex trace build/guests/mmio64_load.bin --device /dev/rust_kvm
              likex trace build/guests/likex.bin --device /dev/kvm --json
            """)

    @Argument(help: ArgumentHelp("The guest: a flat binary.", valueName: "guest"))
    var path: String

    @Option(help: ArgumentHelp("Draw the timeline into this file.", valueName: "file"))
    var svg: String?

    @Flag(help: "Print one JSON object instead.")
    var json = false

    @OptionGroup(title: "Device") var device: DeviceOptions
    @OptionGroup(title: "Start of the guest") var options: GuestOptions

    /// What the kernel's side told.
    private struct Events {
        let source: String
        var events: [KernelEvent]?
        var lost = 0
    }

    func run() throws {
        let file = try options.file(path)
        let guest = file.guest
        let devicePath = device.choose()
        let simulator = try SimulatedKernel.ifNamed(devicePath)
        simulator?.beginTrace()
        let system = try DeviceOptions.open(devicePath, in: simulator)
        guard var machine = try Machine.make(file, on: system, device.personality) else { return }
        let (outcome, told) = try record(&machine, devicePath, simulator, guest)

        let timeline = Timeline(outcome, events: told.events)
        if told.lost > 0 {
            Console.error("likex: \(told.lost) events were lost for want of room: end the guest earlier with --exits")
        }
        if json {
            let report = TimelineReport(
                timeline, guest: guest.name, device: devicePath, end: outcome.end.name, source: told.source,
                lostEvents: told.lost)
            Console.print(try TestMachine.json(report))
        } else {
            let text = TimelineText(timeline)
            Console.print("\(Console.coloured(guest.name, .bold)) on \(devicePath): \(timeline.summary)")
            text.lines.forEach(Console.print)
            Console.print("")
            text.totals.forEach(Console.print)
            Console.print("end: \(RunText.describe(outcome.end))")
        }
        if let svg {
            try Picture.write(TimelinePicture(timeline, title: "\(guest.name) on \(devicePath)").text, to: svg)
        }
        if case .error(let error) = outcome.end { throw MachineError.device(path: devicePath, error) }
    }

    private func record(
        _ machine: inout Machine, _ path: String, _ simulator: SimulatedKernel?, _ guest: Guest
    ) throws(MachineError) -> (Outcome, Events) {
        let progress = Progress()
        defer { progress.clear() }
        let show: (Int) -> Void = { progress.show("\(guest.name): \($0) exits") }
        if let simulator {
            let outcome = try machine.run(progress: show)
            let (events, lost) = simulator.events
            return (outcome, Events(source: "simulator", events: events, lost: lost))
        }
        guard let points = beginTracePoints(path) else {
            return (try machine.run(progress: show), Events(source: "none"))
        }
        let outcome = try machine.run(progress: show)
        do throws(TracePoints.Problem) {
            let (events, lost) = try points.finish()
            return (outcome, Events(source: "tracepoints", events: events, lost: lost))
        } catch {
            say(error)
            return (outcome, Events(source: "none"))
        }
    }

    private func beginTracePoints(_ path: String) -> TracePoints? {
        do throws(TracePoints.Problem) {
            guard path != Devices.stock else {
                throw TracePoints.Problem(description: "\(path) has none of LiKeX's trace points")
            }
            return try TracePoints.begin()
        } catch {
            say(error)
            return nil
        }
    }

    private func say(_ problem: TracePoints.Problem) {
        Console.error("likex: only exits to user space are shown: \(problem)")
    }
}
