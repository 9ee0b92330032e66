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
        let reason = vmcs.boundaryAction(BoundaryEvents(), interruptFlag: flag, interruptibility: state)
        #expect(reason == (exits ? .exit(.interruptWindow) : nil))
    }

    @Test(arguments: [(0, true), (1, false), (2, false), (8, false)] as [(UInt64, Bool)])
    func nmiWindow(_ state: UInt64, _ exits: Bool) {
        vmcs[.procControls] = ProcControl.nmiWindowExiting.mask
        let reason = vmcs.boundaryAction(BoundaryEvents(), interruptFlag: false, interruptibility: state)
        #expect(reason == (exits ? .exit(.nmiWindow) : nil))
    }

    @Test func anExternalInterruptExitsWhateverTheFlagSays() {
        vmcs[.pinControls] = PinControl.externalInterruptExiting.mask
        let waiting = BoundaryEvents(externalInterrupt: 0x40)
        #expect(vmcs.boundaryAction(waiting, interruptFlag: false, interruptibility: 0) == .exit(.externalInterrupt))
        vmcs[.pinControls] = 0
        #expect(vmcs.boundaryAction(waiting, interruptFlag: true, interruptibility: 0) == nil)
    }

    @Test func anAcknowledgedInterrupt() {
        vmcs[.pinControls] = PinControl.externalInterruptExiting.mask
        vmcs[.exitControls] = ExitControl.acknowledgeInterrupt.mask
        vmcs[.postedInterruptVector] = 0xF2
        func next(_ vector: UInt8) -> BoundaryAction? {
            vmcs.boundaryAction(BoundaryEvents(externalInterrupt: vector), interruptFlag: false, interruptibility: 0)
        }
        #expect(next(0xEC) == .exitAcknowledged(0xEC) && next(0xF2) == .exitAcknowledged(0xF2))
        vmcs[.pinControls] |= PinControl.postedInterrupts.mask
        #expect(next(0xEC) == .exitAcknowledged(0xEC) && next(0xF2) == .postedInterrupts)
    }

    /// As an interrupt window, which comes before it; and before the host's interrupts.
    @Test(arguments: [
        (true, 0, true), (false, 0, false), (true, 1, false), (true, 2, false), (true, 8, true),
    ] as [(Bool, UInt64, Bool)])
    func aVirtualInterrupt(_ flag: Bool, _ state: UInt64, _ isDelivered: Bool) {
        vmcs[.pinControls] = PinControl.externalInterruptExiting.mask | PinControl.nmiExiting.mask
        var waiting = BoundaryEvents(externalInterrupt: 0xEC, virtualInterrupt: true)
        func next() -> BoundaryAction? { vmcs.boundaryAction(waiting, interruptFlag: flag, interruptibility: state) }
        #expect(next() == (isDelivered ? .virtualInterrupt : .exit(.externalInterrupt)))
        if isDelivered {
            waiting.nmi = true
            #expect(next() == .exit(.exceptionNmi))
        }
    }

    @Test func theirOrder() {
        vmcs[.pinControls] = 0x69
        vmcs[.procControls] = ProcControl.interruptWindowExiting.mask | ProcControl.nmiWindowExiting.mask
        var waiting = BoundaryEvents(externalInterrupt: 0x40, nmi: true, timerExpired: true, belowThreshold: true)
        func next() -> BoundaryAction? { vmcs.boundaryAction(waiting, interruptFlag: true, interruptibility: 0) }
        #expect(next() == .exit(.tprBelowThreshold))
        waiting.belowThreshold = false
        #expect(next() == .exit(.preemptionTimer))
        waiting.timerExpired = false
        #expect(next() == .exit(.nmiWindow))
        vmcs[.procControls] = ProcControl.interruptWindowExiting.mask
        #expect(next() == .exit(.exceptionNmi))
        waiting.nmi = false
        #expect(next() == .exit(.interruptWindow))
        vmcs[.procControls] = 0
        #expect(next() == .exit(.externalInterrupt))
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
