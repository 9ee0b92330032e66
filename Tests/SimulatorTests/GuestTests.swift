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
}
