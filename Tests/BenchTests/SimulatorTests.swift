// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Simulator
import Testing

@testable import Bench

/// The benches' guests, on a device that counts instructions.
@Suite("Benches on the simulator")
struct SimulatorTests {
    private let kernel: SimulatedKernel
    private var device: BenchDevice { BenchDevice(path: SimulatedKernel.path, in: kernel) }

    init() throws { kernel = try SimulatedKernel() }

    private func run(_ options: Bench.Suite.Options) throws -> BenchReport.Device {
        let host = BenchHost(read: { _ in nil }, bytes: { _ in nil }, openFiles: { nil })
        let report = Bench.Suite(options, host: host) { _ in }.run([device])
        return try #require(report.devices.first)
    }

    @Test("every group measures, and leaves nothing behind")
    func all() throws {
        let result = try run(.init(rounds: 4, idle: [3]))
        #expect(result.problems.isEmpty)
        let figures = [
            "getppid", "null-ioctl", "exit-io", "exit-mmio", "exit-hlt", "cpuid", "vmcall", "rdmsr", "wrmsr", "ept-4k",
            "ept-4k-load", "ept-4k-run", "slot-add", "slot-delete", "create", "first-exit", "destroy", "life",
            "create-once", "first-exit-once", "destroy-once", "life-once", "create-1", "first-exit-1",
            "destroy-1", "life-1", "exit-io-1", "create-3", "first-exit-3", "destroy-3", "life-3",
            "exit-io-3",
        ]
        #expect(result.measurements.filter { $0.unsupported == nil }.map(\.name) == figures)
        #expect(
            result.measurements.filter { $0.unsupported != nil }.map(\.name) == [
                "ept-2m", "memory", "memory-slab", "memory-vmalloc", "memory-stack", "memory-tables", "threads",
                "files",
                "module",
            ])
        #expect(kernel.held == 0 && kernel.warnings.isEmpty)
    }

    @Test("a batch less an empty one is what is in it: of the guest's own instructions, the XOR before CPUID")
    func instructions() throws {
        let result = try run(.init(rounds: 4, only: [.kernel]))
        let values = try ["cpuid", "vmcall", "rdmsr", "wrmsr"].map { try #require(result.value($0)) }
        #expect(values[0] - values[1] == 1)
        #expect(values.allSatisfy { (0..<2).contains($0) })
    }

    @Test("a touch of a page that isn't mapped exits, a second one doesn't")
    func touches() throws {
        kernel.beginTrace()
        _ = try run(.init(rounds: 1, only: [.fault]))
        let faults = kernel.events.kept.filter { if case .fault = $0.what { true } else { false } }
        // A touch each, where they are far from each other; one for 16 pages in order; and one for the page of code, near which that of results
        // is, in each of the four VMs.
        #expect(faults.count == 64 + 64 + 512 / 16 + 16 + 16 + 4)
    }

    @Test("a guest that leaves for something else is a problem, not a figure")
    func wrongExit() throws {
        let vm = try FlatVM(.halt, on: device)
        #expect(throws: KVMError.self) { _ = try vm.run(to: .output) }
    }

    @Test("a device that can't be opened is a problem of each group")
    func noDevice() throws {
        let host = BenchHost(read: { _ in nil }, bytes: { _ in nil }, openFiles: { nil })
        let report = Bench.Suite(.init(only: [.life, .exit]), host: host) { _ in }.run([
            BenchDevice(path: "/nonexistent", in: kernel)
        ])
        #expect(report.devices[0].problems.count == 2 && report.devices[0].measurements.isEmpty)
    }
}
