// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// Exits for exceptions, and EPT violations that no slot can answer.
@Suite struct ExceptionExitTests {
    let machine: FakeMachine
    private static let valid: UInt32 = 1 << 31, hard: UInt32 = 3 << 8, hasError: UInt32 = 1 << 11

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine[VMCS_GUEST_RIP] = 0x100
    }

    private var vcpu: UnsafeMutablePointer<lkx_vcpu> { machine.vcpu }

    private func exception(_ info: UInt32, qualification: UInt64 = 0, length: UInt32 = 1) -> Int32 {
        vcpu.pointee.exit = lkx_exit()
        vcpu.pointee.exit.reason = EXIT_EXCEPTION_NMI.rawValue
        vcpu.pointee.exit.interruption_info = info | Self.valid
        vcpu.pointee.exit.interruption_error = 0x77
        vcpu.pointee.exit.qualification = qualification
        vcpu.pointee.exit.instruction_length = length
        return lkx_exit_dispatch(vcpu)
    }

    /// #DB for DR6's sake; #AC and #MC, which could hang or reset the host.
    @Test func whichExit() {
        #expect(machine[VMCS_EXCEPTION_BITMAP] == 1 << 1 | 1 << 17 | 1 << 18)
        #expect(machine[VMCS_PAGE_FAULT_ERROR_CODE_MASK] == 0 && machine[VMCS_PAGE_FAULT_ERROR_CODE_MATCH] == 0)
    }

    @Test func exceptionsGoBackToTheGuest() {
        #expect(exception(Self.hard | Self.hasError | 17) == 1)
        #expect(
            machine.raised?.vector == 17 && machine.raised?.error == 0x77 && vcpu.pointee.events.exception_has_error)
        vcpu.pointee.events = lkx_events()
        #expect(exception(Self.hard | 6) == 1)
        #expect(machine.raised?.vector == 6 && !vcpu.pointee.events.exception_has_error)
        #expect(machine[VMCS_GUEST_RIP] == 0x100)
    }

    /// NMIs and machine checks were the host's (plat_host_event).
    @Test(arguments: [2 << 8 | 2, 3 << 8 | 18] as [UInt32]) func theHostsAreNotTheGuests(info: UInt32) {
        #expect(exception(info) == 1)
        #expect(machine.raised == nil)
    }

    @Test func breakpointsTellDR6WhichAndEndGeneralDetection() {
        vcpu.pointee.dr6 = 0xffff_0ff0 | 1 << 14 | 5
        machine[VMCS_GUEST_DR7] = 0x2402
        #expect(exception(Self.hard | 1, qualification: 2 | 1 << 12) == 1)
        // B0 to B3 are the new ones, BS stays until the guest clears it, bit 12 is reserved.
        #expect(vcpu.pointee.dr6 == 0xffff_0ff0 | 1 << 14 | 2)
        #expect(machine[VMCS_GUEST_DR7] == 0x402)
        #expect(machine.raised?.vector == 1 && machine[VMCS_GUEST_RIP] == 0x100)
    }

    @Test func int1IsATrap() {
        #expect(exception(5 << 8 | 1, length: 1) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x101 && machine.raised?.vector == 1)
    }

    /// VM entry wants a step that waits behind an interrupt shadow to be told. SDM vol. 3, 27.3.1.5.
    @Test(
        arguments: [(0x102, 2, 1 << 14), (0x102, 0, 0), (2, 2, 0), (0x102, 1, 1 << 14)] as [(UInt64, UInt64, UInt64)])
    func aStepInAShadowStaysPending(rflags: UInt64, interruptibility: UInt64, pending: UInt64) {
        machine[VMCS_GUEST_RFLAGS] = rflags
        machine[VMCS_GUEST_INTERRUPTIBILITY] = interruptibility
        #expect(exception(Self.hard | 1, qualification: 1) == 1)
        #expect(machine[VMCS_GUEST_PENDING_DEBUG] == pending)
    }

    @Test func whatUserSpaceMustEmulate() {
        vcpu.pointee.exit.reason = EXIT_TASK_SWITCH.rawValue
        #expect(lkx_exit_dispatch(vcpu) == 0)
        #expect(fake_run_failure(machine.fake).suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION))
    }

    // MARK: EPT violations

    private func violation(_ gpa: UInt64, qualification: UInt64, delivering: UInt32 = 0) -> Int32 {
        fake_run(machine.fake).pointee.exit_reason = 0
        vcpu.pointee.exit = lkx_exit()
        vcpu.pointee.exit.reason = EXIT_EPT_VIOLATION.rawValue
        vcpu.pointee.exit.gpa = gpa
        vcpu.pointee.exit.qualification = qualification
        vcpu.pointee.exit.idt_vectoring_info = delivering
        return lkx_exit_dispatch(vcpu)
    }

    /// No instruction can be finished that never began: the event's delivery itself met no memory.
    @Test func anEventThatCantBeDelivered() {
        #expect(violation(0x10_0000, qualification: 0x182, delivering: Self.valid | Self.hard | 14) == 0)
        let run = fake_run(machine.fake)!
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
        #expect(
            run.pointee.internal.suberror == UInt32(KVM_INTERNAL_ERROR_DELIVERY_EV) && run.pointee.internal.ndata == 5)
        let data = run.pointee.internal.data
        #expect(data.0 == UInt64(Self.valid | Self.hard | 14) && data.1 == 48 && data.2 == 0x182 && data.3 == 0x10_0000)
    }

    @Test(arguments: [(0 as UInt32, 8 as UInt64), (1 << 31, 0)]) func anIRETThatMetNoMemoryBlocksNMIsAgain(
        delivering: UInt32, blocked: UInt64
    ) {
        machine.addSlot(0, bytes: 0x1000)
        machine.fake.pointee.page_get_fails = true
        #expect(violation(0, qualification: 1 << 12 | 1, delivering: delivering) == -14)  // -EFAULT, KVM_RUN's answer
        #expect(machine[VMCS_GUEST_INTERRUPTIBILITY] == blocked)
    }

    @Test func timeIsReadForAProcessorThatExitsForIt() {
        machine.fake.pointee.tsc = 0x1_2345_6789
        let now = lkx_tsc_read(vcpu)
        vcpu.pointee.tsc_aux = 0xf_0000_0007
        machine[RCX] = ~0
        for (reason, aux) in [(EXIT_RDTSC, ~0), (EXIT_RDTSCP, 7)] as [(lkx_exit_reason, UInt64)] {
            machine[VMCS_GUEST_RIP] = 0x100
            vcpu.pointee.exit = lkx_exit()
            vcpu.pointee.exit.reason = reason.rawValue
            vcpu.pointee.exit.instruction_length = 2
            #expect(lkx_exit_dispatch(vcpu) == 1)
            #expect(machine[RAX] == now & 0xffff_ffff && machine[RDX] == now >> 32 && machine[RCX] == aux)
            #expect(machine[VMCS_GUEST_RIP] == 0x102)
        }
    }
}
