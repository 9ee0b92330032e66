// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// Which event an entry delivers, and what has to wait.
@Suite struct EventTests {
    static let valid: UInt64 = 1 << 31
    static let interruptWindow: UInt64 = 1 << 2, nmiWindow: UInt64 = 1 << 22

    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine[VMCS_GUEST_CR0] = 0x31
        machine[VMCS_CR0_READ_SHADOW] = 0x31
        machine[VMCS_GUEST_RFLAGS] = 0x202
    }

    private func inject() -> UInt64 {
        machine[VMCS_ENTRY_INTERRUPTION_INFO] = 0
        lkx_events_inject(machine.vcpu)
        return machine[VMCS_ENTRY_INTERRUPTION_INFO]
    }

    private func exit(vectoring: UInt64 = 0, error: UInt32 = 0, length: UInt32 = 0) {
        machine.fake.pointee.vcpu.exit.idt_vectoring_info = UInt32(vectoring)
        machine.fake.pointee.vcpu.exit.idt_vectoring_error = error
        machine.fake.pointee.vcpu.exit.instruction_length = length
        lkx_events_after_exit(machine.vcpu)
    }

    private var windows: UInt64 { machine[VMCS_PROC_CONTROLS] & (Self.interruptWindow | Self.nmiWindow) }

    @Test func exceptionsThenNMIsThenInterrupts() {
        lkx_queue_interrupt(machine.vcpu, 0x20)
        lkx_queue_nmi(machine.vcpu)
        lkx_queue_exception_error(machine.vcpu, UInt8(VECTOR_GP), 0x18)
        #expect(inject() == Self.valid | 1 << 11 | 3 << 8 | 13)
        #expect(machine[VMCS_ENTRY_EXCEPTION_ERROR_CODE] == 0x18)
        #expect(machine[VMCS_GUEST_RFLAGS] & 1 << 16 != 0)  // RF of the fault's saved image
        #expect(windows == Self.interruptWindow | Self.nmiWindow)
        exit()
        #expect(inject() == Self.valid | 2 << 8 | 2)
        #expect(windows == Self.interruptWindow)
        exit()
        #expect(inject() == Self.valid | 0x20)
        #expect(windows == 0)
        exit()
        #expect(inject() == 0)
        #expect(windows == 0)
    }

    @Test func realModeHasNoErrorCodes() {
        machine[VMCS_GUEST_CR0] = 0x30
        machine[VMCS_CR0_READ_SHADOW] = 0x30
        lkx_queue_exception_error(machine.vcpu, UInt8(VECTOR_GP), 0)
        #expect(inject() == Self.valid | 3 << 8 | 13)
        // User space puts the vCPU into protected mode before the #GP that was on its way goes again: entry wants a code, and there is 0.
        exit(vectoring: Self.valid | 3 << 8 | 13, error: 0x1234)
        machine[VMCS_GUEST_CR0] = 0x31
        machine[VMCS_CR0_READ_SHADOW] = 0x31
        #expect(inject() == Self.valid | 1 << 11 | 3 << 8 | 13)
        #expect(machine[VMCS_ENTRY_EXCEPTION_ERROR_CODE] == 0)
    }

    @Test(arguments: [(0x002, 0), (0x202, 1), (0x202, 2)] as [(UInt64, UInt64)])
    func interruptsWaitForTheirWindow(rflags: UInt64, interruptibility: UInt64) {
        machine[VMCS_GUEST_RFLAGS] = rflags
        machine[VMCS_GUEST_INTERRUPTIBILITY] = interruptibility
        lkx_queue_interrupt(machine.vcpu, 0x33)
        #expect(!lkx_ready_for_interrupt(machine.vcpu))
        #expect(inject() == 0)
        #expect(windows == Self.interruptWindow)
        exit()
        #expect(lkx_exit_interrupt_window(machine.vcpu) == 1)
        #expect(windows == 0)
        machine[VMCS_GUEST_RFLAGS] = 0x202
        machine[VMCS_GUEST_INTERRUPTIBILITY] = 0
        #expect(inject() == Self.valid | 0x33)
    }

    @Test func userSpacesWindowRequestIsAsked() {
        #expect(lkx_ready_for_interrupt(machine.vcpu))
        fake_run(machine.fake).pointee.request_interrupt_window = 1
        #expect(inject() == 0)
        #expect(windows == Self.interruptWindow)
        fake_run(machine.fake).pointee.request_interrupt_window = 0
        #expect(inject() == 0)
        #expect(windows == 0)
    }

    @Test func oneNMIIsLatchedBehindTheOneInService() {
        for _ in 0..<5 { lkx_queue_nmi(machine.vcpu) }
        #expect(machine.fake.pointee.vcpu.events.nmi_pending == 2)
        #expect(inject() == Self.valid | 2 << 8 | 2)
        #expect(windows == Self.nmiWindow)
        exit()
        machine[VMCS_GUEST_INTERRUPTIBILITY] = 8  // in the handler
        #expect(inject() == 0)
        #expect(windows == Self.nmiWindow)
        lkx_queue_nmi(machine.vcpu)
        #expect(machine.fake.pointee.vcpu.events.nmi_pending == 1)
        machine[VMCS_GUEST_INTERRUPTIBILITY] = 0
        #expect(inject() == Self.valid | 2 << 8 | 2)
        #expect(windows == 0)
    }

    @Test func whatAnExitInterruptedIsDeliveredAgainFirst() {
        // An external interrupt whose delivery met an EPT violation; meanwhile another came.
        lkx_queue_interrupt(machine.vcpu, 0x20)
        #expect(inject() == Self.valid | 0x20)
        exit(vectoring: Self.valid | 0x20)
        lkx_queue_nmi(machine.vcpu)
        #expect(inject() == Self.valid | 0x20)
        #expect(windows == Self.nmiWindow)
        // Even with IF clear: the processor had taken it.
        exit(vectoring: Self.valid | 0x20)
        machine[VMCS_GUEST_RFLAGS] = 2
        #expect(inject() == Self.valid | 0x20)
        // INT n needs its length again; so does INT3.
        exit(vectoring: Self.valid | 4 << 8 | 0x80, length: 2)
        #expect(inject() == Self.valid | 4 << 8 | 0x80)
        #expect(machine[VMCS_ENTRY_INSTRUCTION_LENGTH] == 2)
        exit(vectoring: Self.valid | 6 << 8 | 3, length: 1)
        #expect(inject() == Self.valid | 6 << 8 | 3)
        #expect(machine[VMCS_ENTRY_INSTRUCTION_LENGTH] == 1)
        // A page fault with its error code; RFLAGS was pushed with RF already.
        machine[VMCS_GUEST_RFLAGS] = 2
        exit(vectoring: Self.valid | 1 << 11 | 3 << 8 | 14, error: 6)
        #expect(inject() == Self.valid | 1 << 11 | 3 << 8 | 14)
        #expect(machine[VMCS_ENTRY_EXCEPTION_ERROR_CODE] == 6)
        #expect(machine[VMCS_GUEST_RFLAGS] == 2)
        // An NMI unblocks NMIs for its second try.
        exit(vectoring: Self.valid | 2 << 8 | 2)
        machine[VMCS_GUEST_INTERRUPTIBILITY] = 8
        #expect(inject() == Self.valid | 2 << 8 | 2)
        #expect(machine[VMCS_GUEST_INTERRUPTIBILITY] == 0)
    }

    @Test func anEntryThatDidNotHappenPutsTheInterruptBack() {
        lkx_queue_interrupt(machine.vcpu, 0x41)
        #expect(inject() == Self.valid | 0x41)
        lkx_events_cancel(machine.vcpu)
        machine[VMCS_GUEST_RFLAGS] = 2  // user space took IF away
        lkx_events_inject(machine.vcpu)
        #expect(machine[VMCS_ENTRY_INTERRUPTION_INFO] == 0)
        #expect(windows == Self.interruptWindow)
    }

    /// SDM vol. 3, table 6-5.
    @Test func secondExceptionsBecomeDoubleFaults() {
        let contributory: [Int32] = [VECTOR_DE, VECTOR_TS, VECTOR_NP, VECTOR_SS, VECTOR_GP]
        let benign: [Int32] = [VECTOR_DB, VECTOR_UD, VECTOR_NM, VECTOR_AC]
        for first in contributory + benign + [VECTOR_PF] {
            for second in contributory + benign + [VECTOR_PF] {
                machine.fake.pointee.vcpu.events = lkx_events()
                lkx_queue_exception(machine.vcpu, UInt8(first))
                lkx_queue_exception(machine.vcpu, UInt8(second))
                let double =
                    contributory.contains(first) && contributory.contains(second)
                    || first == VECTOR_PF && (second == VECTOR_PF || contributory.contains(second))
                #expect(machine.raised?.vector == UInt8(double ? VECTOR_DF : second), "\(first) then \(second)")
                if double {
                    #expect(machine.fake.pointee.vcpu.events.exception_has_error)
                    lkx_queue_exception(machine.vcpu, UInt8(VECTOR_GP))
                    #expect(machine.fake.pointee.vcpu.triple_fault)
                    #expect(machine.raised == nil)
                    machine.fake.pointee.vcpu.triple_fault = false
                }
            }
        }
    }
}
