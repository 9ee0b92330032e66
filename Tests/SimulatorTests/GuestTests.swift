// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import KVM
import Simulator
import TestMachine
import Testing

/// Every guest of test_misc/guests that is built, as guests.json expects of it. `make guests` builds them.
@Suite struct GuestTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../build/guests").standardizedFileURL.path
    static let paths: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
        .filter { $0.hasSuffix(".bin") }.sorted().map { "\(directory)/\($0)" }

    @Test(.enabled(if: !paths.isEmpty, "build/guests is empty: make guests"), arguments: paths)
    func doesWhatIsExpected(_ path: String) throws {
        let file = try GuestFile(path: path)
        let kernel = try SimulatedKernel()
        let system = try System(path: SimulatedKernel.path, in: kernel)
        let cpuid = try system.supportedCPUID()
        guard file.guest.missingFeatures(in: cpuid).isEmpty else { return }
        var machine = try TestMachine.Machine(file.guest, image: file.image, on: system, cpuid: cpuid)
        let outcome = try machine.run()
        let failures = file.guest.expectation?.failures(of: outcome)
        #expect(kernel.warnings == [])
        #expect(failures == [], "\(String(decoding: outcome.output, as: UTF8.self))")
    }

    /// Stopped at each of its exits, its whole state and memory moved to a new VM, it goes on to the same result.
    @Test(.enabled(if: !paths.isEmpty, "build/guests is empty: make guests"), arguments: paths)
    func goesOnInAnotherVM(_ path: String) throws {
        let file = try GuestFile(path: path)
        let kernel = try SimulatedKernel()
        let system = try System(path: SimulatedKernel.path, in: kernel)
        let cpuid = try system.supportedCPUID()
        guard file.guest.missingFeatures(in: cpuid).isEmpty else { return }
        let runs = try [Comparison.Run.Stops.finished, .moved].map {
            try Comparison.Run(of: file.guest, image: file.image, on: system, cpuid: cpuid, stops: $0)
        }
        let comparison = Comparison(file.guest, runs[0], runs[1])
        #expect(kernel.warnings == [])
        #expect(comparison.verdict == .same)
        #expect(comparison.differences == [] && comparison.right.failures == [])
        if case .failure(let error) = runs[1].result { Issue.record("\(error)") }
    }
}
