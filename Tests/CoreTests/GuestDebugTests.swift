// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// KVM_SET_GUEST_DEBUG and KVM_EXIT_DEBUG.
@Suite struct GuestDebugTests {
    let machine: FakeMachine
    private static let enable = UInt32(KVM_GUESTDBG_ENABLE)
    private static let step = enable | UInt32(KVM_GUESTDBG_SINGLESTEP)
    private static let soft = enable | UInt32(KVM_GUESTDBG_USE_SW_BP)
    private static let hard = enable | UInt32(KVM_GUESTDBG_USE_HW_BP)
    private static let valid: UInt64 = 1 << 31

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine[VMCS_GUEST_RIP] = 0x100
        machine[VMCS_GUEST_RFLAGS] = 2
        machine[VMCS_GUEST_CS_BASE] = 0x2000
        machine.fake.pointee.enters = true
    }

    private var run: UnsafeMutablePointer<kvm_run> { fake_run(machine.fake)! }
    private var vcpu: UnsafeMutablePointer<lkx_vcpu> { machine.vcpu }

    private func set(_ control: UInt32, db0: UInt64 = 0, dr7: UInt64 = 0) -> Int32 {
        var debug = kvm_guest_debug()
        debug.control = control
        debug.arch.debugreg.0 = db0
        debug.arch.debugreg.7 = dr7
        return lkx_set_guest_debug(vcpu, &debug)
    }

    /// What the next entry ends with.
    private func exits(_ reason: lkx_exit_reason, length: UInt64 = 1, info: UInt64 = 0, qualification: UInt64 = 0) {
        machine[VMCS_EXIT_REASON] = UInt64(reason.rawValue)
        machine[VMCS_EXIT_INSTRUCTION_LENGTH] = length
        machine[VMCS_EXIT_INTERRUPTION_INFO] = info
        machine[VMCS_EXIT_QUALIFICATION] = qualification
    }

    private func expectDebugExit(vector: UInt32, pc: UInt64, dr6: UInt64, _ comment: Comment? = nil) {
        #expect(lkx_vcpu_run(vcpu) == 0, comment)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_DEBUG), comment)
        let debug = run.pointee.debug.arch
        #expect(debug.exception == vector && debug.pc == pc && debug.dr6 == 0xFFFF_0FF0 | dr6, comment)
    }

    @Test func aStepIsTheProcessorsOwn() {
        #expect(set(Self.step) == 0)
        #expect(machine[VMCS_GUEST_RFLAGS] == 2, "user space sees the guest's own")
        machine[VMCS_GUEST_INTERRUPTIBILITY] = 1
        machine[VMCS_GUEST_PENDING_DEBUG] = 1 << 14
        exits(EXIT_EXCEPTION_NMI, info: Self.valid | 3 << 8 | 1, qualification: 1 << 14)
        expectDebugExit(vector: 1, pc: 0x2100, dr6: 1 << 14)
        #expect(machine[VMCS_GUEST_RFLAGS] == 2 && machine[VMCS_GUEST_INTERRUPTIBILITY] == 0)
        #expect(machine[VMCS_GUEST_PENDING_DEBUG] == 0 && machine.raised == nil && vcpu.pointee.dr6 == 0xFFFF_0FF0)
        machine[VMCS_GUEST_RFLAGS] = 0x102
        expectDebugExit(vector: 1, pc: 0x2100, dr6: 1 << 14)
        #expect(machine[VMCS_GUEST_RFLAGS] == 0x102, "it was set before")
        #expect(set(0) == 0)
        // Nobody debugs: it is the guest's again.
        vcpu.pointee.exit.reason = EXIT_EXCEPTION_NMI.rawValue
        vcpu.pointee.exit.interruption_info = UInt32(Self.valid | 3 << 8 | 1)
        #expect(lkx_exit_exception(vcpu) == 1 && machine.raised?.vector == 1)
    }

    @Test func aStepOverWhatTheCoreDoes() {
        #expect(set(Self.step) == 0)
        exits(EXIT_CPUID, length: 2)
        expectDebugExit(vector: 1, pc: 0x2102, dr6: 1 << 14)
        #expect(machine.raised == nil && machine.fake.pointee.entries == 1)
        // HLT and port I/O need user space first; the step is over when it comes back, before the guest goes on.
        exits(EXIT_HLT)
        #expect(lkx_vcpu_run(vcpu) == 0 && run.pointee.exit_reason == UInt32(KVM_EXIT_HLT))
        expectDebugExit(vector: 1, pc: 0x2103, dr6: 1 << 14)
        exits(EXIT_IO_INSTRUCTION, length: 2, qualification: 0x10 << 16)
        #expect(lkx_vcpu_run(vcpu) == 0 && run.pointee.exit_reason == UInt32(KVM_EXIT_IO))
        run.pointee.immediate_exit = 1
        expectDebugExit(vector: 1, pc: 0x2105, dr6: 1 << 14)
        #expect(machine.fake.pointee.entries == 3)
        // A VMM that sends it elsewhere has no step behind it.
        run.pointee.immediate_exit = 0
        exits(EXIT_HLT)
        #expect(lkx_vcpu_run(vcpu) == 0)
        var registers = kvm_regs()
        lkx_get_regs(vcpu, &registers)
        lkx_set_regs(vcpu, &registers)
        #expect(lkx_vcpu_run(vcpu) == 0 && run.pointee.exit_reason == UInt32(KVM_EXIT_HLT))
    }

    @Test func softwareBreakpoints() {
        #expect(set(Self.soft) == 0)
        #expect(machine[VMCS_EXCEPTION_BITMAP] == 1 << 1 | 1 << 3 | 1 << 17 | 1 << 18)
        exits(EXIT_EXCEPTION_NMI, length: 2, info: Self.valid | 6 << 8 | 3)
        expectDebugExit(vector: 3, pc: 0x2100, dr6: 0)
        // It is the guest's own: back to it, as INT3 does it.
        #expect(set(Self.enable | UInt32(KVM_GUESTDBG_INJECT_BP)) == 0)
        #expect(machine[VMCS_EXCEPTION_BITMAP] == 1 << 1 | 1 << 17 | 1 << 18)
        #expect(set(Self.enable | UInt32(KVM_GUESTDBG_INJECT_DB)) == -EBUSY)
        lkx_events_inject_some(vcpu, false)
        #expect(machine[VMCS_ENTRY_INTERRUPTION_INFO] == Self.valid | 6 << 8 | 3)
        #expect(machine[VMCS_ENTRY_INSTRUCTION_LENGTH] == 2)
        vcpu.pointee.events = lkx_events()
        vcpu.pointee.breakpoint_bytes = 0
        #expect(set(UInt32(KVM_GUESTDBG_INJECT_BP)) == 0)
        lkx_events_inject_some(vcpu, false)
        #expect(machine[VMCS_ENTRY_INSTRUCTION_LENGTH] == 1, "an INT3 that never was has one byte")
    }

    @Test func hardwareBreakpointsHideTheGuests() {
        machine[VMCS_GUEST_DR7] = 0x401
        vcpu.pointee.dr.0 = 0x5555
        #expect(set(Self.hard, db0: 0x2222, dr7: 0x402) == 0)
        #expect(machine[VMCS_GUEST_DR7] == 0x402)
        var registers = kvm_debugregs()
        lkx_get_debugregs(vcpu, &registers)
        #expect(registers.dr7 == 0x401 && registers.db.0 == 0x5555)
        exits(EXIT_EXCEPTION_NMI, info: Self.valid | 3 << 8 | 1, qualification: 1)
        expectDebugExit(vector: 1, pc: 0x2100, dr6: 1)
        #expect(run.pointee.debug.arch.dr7 == 0x402 && machine.fake.pointee.dr.0 == 0x2222)
        // A guest that writes DR7 writes its own.
        vcpu.pointee.exit = lkx_exit()
        vcpu.pointee.exit.reason = EXIT_DR_ACCESS.rawValue
        vcpu.pointee.exit.qualification = 7
        machine[RAX] = 0x408
        #expect(lkx_exit_dispatch(vcpu) == 1 && machine[VMCS_GUEST_DR7] == 0x402)
        #expect(set(Self.hard, db0: 0x3333, dr7: 0x404) == 0)
        #expect(set(0) == 0 && machine[VMCS_GUEST_DR7] == 0x408)
        // General detection by the debugger.
        #expect(set(Self.hard, dr7: 0x2400) == 0)
        #expect(lkx_exit_dispatch(vcpu) == 0 && run.pointee.exit_reason == UInt32(KVM_EXIT_DEBUG))
        #expect(run.pointee.debug.arch.dr6 == 0xFFFF_0FF0 | 1 << 13)
    }

    @Test func interruptsCanBeHeld() {
        machine[VMCS_GUEST_RFLAGS] = 0x202
        lkx_queue_interrupt(vcpu, 0x30)
        lkx_queue_nmi(vcpu)
        #expect(set(Self.step | UInt32(KVM_GUESTDBG_BLOCKIRQ)) == 0)
        lkx_events_inject_some(vcpu, false)
        #expect(vcpu.pointee.events.interrupt_pending && vcpu.pointee.events.nmi_pending == 1)
        #expect(machine[VMCS_ENTRY_INTERRUPTION_INFO] == 0)
        #expect(set(Self.step) == 0)
        lkx_events_inject_some(vcpu, false)
        #expect(vcpu.pointee.events.nmi_pending == 0)
    }

    @Test func whatItDoesNotTake() {
        #expect(set(Self.enable | 1 << 31) == -EINVAL && set(4) == -EINVAL)
        #expect(set(Self.hard, dr7: 1 << 32) == -EINVAL)
        #expect(set(UInt32(KVM_GUESTDBG_SINGLESTEP)) == 0 && vcpu.pointee.guest_debug == 0, "not enabled")
    }
}
