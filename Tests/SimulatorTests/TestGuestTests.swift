// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Simulator
import TestMachine
import Testing

/// LiKeX's own test guest, from opening the device to HLT.
@Suite struct TestGuestTests {
    @Test(arguments: [Personality.kvm, .oneFile]) func prints4(_ personality: Personality) throws {
        let kernel = try SimulatedKernel()
        do {
            let system = try System(path: SimulatedKernel.path, in: kernel)
            var machine = try TestMachine.Machine(
                Guest.likex, image: Guest.likexImage, on: system, personality, cpuid: try system.supportedCPUID())
            let outcome = try machine.run()
            #expect(outcome.end == .hlt)
            #expect(String(decoding: outcome.output, as: UTF8.self) == "4\n")
            #expect(Guest.likex.expectation?.failures(of: outcome) == [])
        }
        #expect(kernel.warnings == [])
        #expect(kernel.held == 0)
    }
}
