// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXSim

/// What comes between two instructions of a guest, and in which order. SDM vol. 3, 26.2.
@Suite struct BoundaryTests {
    private let vmcs = VMCS()

    @Test(arguments: [
        // IF, interruptibility, exits
        (true, 0, true), (false, 0, false), (true, 1, false), (true, 2, false), (true, 8, true),
    ] as [(Bool, UInt64, Bool)])
    func interruptWindow(_ flag: Bool, _ state: UInt64, _ exits: Bool) {
        vmcs[.procControls] = ProcControl.interruptWindowExiting.mask
        let reason = vmcs.boundaryExit(BoundaryEvents(), interruptFlag: flag, interruptibility: state)
        #expect(reason == (exits ? .interruptWindow : nil))
    }

    @Test(arguments: [(0, true), (1, false), (2, false), (8, false)] as [(UInt64, Bool)])
    func nmiWindow(_ state: UInt64, _ exits: Bool) {
        vmcs[.procControls] = ProcControl.nmiWindowExiting.mask
        let reason = vmcs.boundaryExit(BoundaryEvents(), interruptFlag: false, interruptibility: state)
        #expect(reason == (exits ? .nmiWindow : nil))
    }

    @Test func anExternalInterruptExitsWhateverTheFlagSays() {
        vmcs[.pinControls] = PinControl.externalInterruptExiting.mask
        let waiting = BoundaryEvents(externalInterrupt: true)
        #expect(vmcs.boundaryExit(waiting, interruptFlag: false, interruptibility: 0) == .externalInterrupt)
        vmcs[.pinControls] = 0
        #expect(vmcs.boundaryExit(waiting, interruptFlag: true, interruptibility: 0) == nil)
    }

    @Test func theirOrder() {
        vmcs[.pinControls] = 0x69
        vmcs[.procControls] = ProcControl.interruptWindowExiting.mask | ProcControl.nmiWindowExiting.mask
        var waiting = BoundaryEvents(externalInterrupt: true, nmi: true, timerExpired: true, belowThreshold: true)
        func next() -> VMXExitReason? { vmcs.boundaryExit(waiting, interruptFlag: true, interruptibility: 0) }
        #expect(next() == .tprBelowThreshold)
        waiting.belowThreshold = false
        #expect(next() == .preemptionTimer)
        waiting.timerExpired = false
        #expect(next() == .nmiWindow)
        vmcs[.procControls] = ProcControl.interruptWindowExiting.mask
        #expect(next() == .exceptionNmi)
        waiting.nmi = false
        #expect(next() == .interruptWindow)
        vmcs[.procControls] = 0
        #expect(next() == .externalInterrupt)
    }

    @Test func theTimerCountsChangesOfOneBit() {
        var capabilities = Capabilities.skylakeX
        capabilities.misc |= 5
        let timer = PreemptionTimer(value: 3, timeStamp: 31, capabilities)
        #expect(timer.value(at: 31) == 3)
        #expect(timer.value(at: 32) == 2)
        #expect(timer.value(at: 95) == 1)
        #expect(timer.remaining(at: 31) == 65)
        #expect(timer.value(at: 96) == 0)
        #expect(timer.value(at: 1000) == 0)
        #expect(timer.remaining(at: 1000) == 0)
    }
}
