// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// KVM_RUN lap by lap: what surrounds a VM entry, and what happens where there is none.
@Suite struct LapTests {
    let machine: FakeMachine
    private static let valid: UInt64 = 1 << 31

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine[VMCS_GUEST_RIP] = 0x100
        machine[VMCS_GUEST_RFLAGS] = 0x202
        fake.pointee.enters = true
        exits(EXIT_HLT)
    }

    private var fake: UnsafeMutablePointer<fake> { machine.fake }
    private var run: UnsafeMutablePointer<kvm_run> { fake_run(machine.fake)! }
    private var events: lkx_events { fake.pointee.vcpu.events }
    private var entry: fake_entry { fake.pointee.at_entry }

    /// What the next entry ends with. Read-only fields are the processor's to write.
    private func exits(_ reason: lkx_exit_reason, length: UInt64 = 1) {
        machine[VMCS_EXIT_REASON] = UInt64(reason.rawValue)
        machine[VMCS_EXIT_INSTRUCTION_LENGTH] = length
    }

    @Test func intoTheGuestAndOut() {
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_HLT) && machine[VMCS_GUEST_RIP] == 0x101)
        #expect(fake.pointee.entries == 1 && fake.pointee.begun == 1 && fake.pointee.ended == 1)
        #expect(!entry.launched && entry.mode == LKX_IN_GUEST.rawValue)
        #expect(
            fake.pointee.vcpu.launched && fake.pointee.vcpu.has_run
                && fake.pointee.vcpu.mode == LKX_OUTSIDE_GUEST.rawValue)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(entry.launched)
    }

    @Test func anEntryThatTheProcessorRefuses() {
        fake.pointee.enters = false
        machine[VMCS_INSTRUCTION_ERROR] = 7
        lkx_queue_interrupt(machine.vcpu, 0x30)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_FAIL_ENTRY))
        #expect(run.pointee.fail_entry.hardware_entry_failure_reason == 7)
        #expect(
            !fake.pointee.vcpu.launched && fake.pointee.ended == 1
                && fake.pointee.vcpu.mode == LKX_OUTSIDE_GUEST.rawValue)
        // Whoever repairs what was wrong still has the interrupt.
        #expect(events.interrupt_pending)
        fake.pointee.enters = true
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(machine[VMCS_ENTRY_INTERRUPTION_INFO] == Self.valid | 0x30 && !events.interrupt_pending)
    }

    /// The processor leaves ENTRY_INTERRUPTION_INFO as it was. The next entry is in real mode, which has no error codes.
    @Test func anEntryThatFailsOnGuestStateDeliversNothing() {
        exits(EXIT_ENTRY_FAIL_GUEST_STATE)
        machine[VMCS_EXIT_REASON] |= Self.valid
        machine[VMCS_CR0_READ_SHADOW] = 1
        lkx_queue_exception_error(machine.vcpu, 13, 0)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_FAIL_ENTRY))
        #expect(machine[VMCS_ENTRY_INTERRUPTION_INFO] == Self.valid | 1 << 11 | 3 << 8 | 13)
        #expect(events.exception_injected)
        machine[VMCS_CR0_READ_SHADOW] = 0
        exits(EXIT_HLT)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(machine[VMCS_ENTRY_INTERRUPTION_INFO] == Self.valid | 3 << 8 | 13)
        #expect(!events.exception_injected)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
    }

    @Test(arguments: [(3, 0), (0, 2), (1, 1)] as [(UInt32, UInt32)]) func anEntryPutOffLosesNothing(
        refusals: UInt32, pendings: UInt32
    ) {
        fake.pointee.refusals = refusals
        fake.pointee.pendings = pendings
        lkx_queue_interrupt(machine.vcpu, 0x30)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(fake.pointee.entries == 1 && fake.pointee.begun == 1 + pendings && fake.pointee.ended == 1 + pendings)
        #expect(machine[VMCS_ENTRY_INTERRUPTION_INFO] == Self.valid | 0x30)
    }

    @Test func aSignalEndsTheLaps() {
        exits(EXIT_PAUSE, length: 2)
        fake.pointee.polled = -EINTR
        #expect(lkx_vcpu_run(machine.vcpu) == -EINTR)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_INTR) && machine[VMCS_GUEST_RIP] == 0x102)
    }

    @Test func theWindowThatUserSpaceAskedFor() {
        exits(EXIT_INTERRUPT_WINDOW)
        run.pointee.request_interrupt_window = 1
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_IRQ_WINDOW_OPEN))
    }

    @Test func aTripleFaultOfOurOwnMakingNeverEnters() {
        for _ in 0..<3 { lkx_queue_page_fault(machine.vcpu, 0x1000, 2) }
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_SHUTDOWN) && fake.pointee.entries == 0)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(fake.pointee.entries == 1, "it is over once told")
    }

    @Test func aTaskPriorityThatIsNone() {
        run.pointee.cr8 = 16
        #expect(lkx_vcpu_run(machine.vcpu) == -EINVAL)
        #expect(fake.pointee.entries == 0)
    }

    // MARK: state that changes hands

    @Test func theGuestsXCR0IsThereOnlyInTheGuest() {
        fake.pointee.xcr0 = 0xe7
        fake.pointee.vcpu.xcr0 = 7
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(entry.xcr0 == 0xe7, "a guest without XSAVE doesn't notice")
        lkx_cr4_load(machine.vcpu, 1 << 18)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(entry.xcr0 == 7 && fake.pointee.xcr0 == 0xe7)
        fake.pointee.xcr0 = 7
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(entry.xcr0 == 7 && fake.pointee.xcr0 == 7)
    }

    @Test func cr2IsTheGuestsOwn() {
        fake.pointee.cr2 = 0x1111
        fake.pointee.vcpu.cr2 = 0x2222
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(entry.cr2 == 0x2222)
        fake.pointee.cr2 = 0x3333  // the host's, or what the guest left
        #expect(fake.pointee.vcpu.cr2 == 0x2222)
    }

    @Test func debugRegistersGoInWhereTheyAreArmed() {
        fake.pointee.vcpu.dr = (1, 2, 3, 4)
        fake.pointee.vcpu.dr6 = 0xffff_0ff5
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(fake.pointee.dr.0 == 0 && !fake.pointee.debug_restored)
        machine[VMCS_GUEST_DR7] = 0x402
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(fake.pointee.dr == (1, 2, 3, 4) && fake.pointee.debug_restored && fake.pointee.vcpu.after_exit & 1 == 0)
        #expect(fake.pointee.vcpu.dr6 == 0xffff_0ff5)
    }

    /// A flush that came while this vCPU was out is followed before it is in again; one it knows costs nothing.
    @Test func flushesAreFollowedBeforeTheEntry() {
        fake.pointee.vcpu.vpid = 3
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(
            fake.pointee.invalidations == 2 && fake.pointee.invalidation[0].is_vpid
                && fake.pointee.invalidation[0].which == 3)
        #expect(!fake.pointee.invalidation[1].is_vpid)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(fake.pointee.invalidations == 2)
        lkx_tlb_flush(machine.vm)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(fake.pointee.invalidations == 3 && !fake.pointee.invalidation[2].is_vpid)
    }

    // MARK: what user space answers

    private func input(size: UInt64) {
        exits(EXIT_IO_INSTRUCTION, length: 1)
        machine[VMCS_EXIT_QUALIFICATION] = size - 1 | 8 | 0x60 << 16
        machine[VMCS_GUEST_RIP] = 0x100
        machine[RAX] = 0x1122_3344_5566_7788
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_IO) && machine[VMCS_GUEST_RIP] == 0x100)
        for byte in 0..<4 { fake.pointee.vcpu.pio_data[byte] = UInt8(0xf0 + byte) }
        exits(EXIT_HLT)
    }

    @Test(arguments: [(1, 0x1122_3344_5566_77f0), (2, 0x1122_3344_5566_f1f0), (4, 0xf3f2_f1f0)] as [(UInt64, UInt64)])
    func anInputIsMergedIntoRAX(size: UInt64, result: UInt64) {
        input(size: size)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(machine[RAX] == result && machine[VMCS_GUEST_RIP] == 0x102)
    }

    @Test func anInputForAVCPUThatWasResetIsHistory() {
        input(size: 4)
        machine[VMCS_GUEST_RIP] = 0xfff0
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(machine[RAX] == 0x1122_3344_5566_7788 && machine[VMCS_GUEST_RIP] == 0xfff1)
    }

    // MARK: events that an exit tells of

    /// An IRET that faulted had unblocked NMIs already, and will be executed again. SDM vol. 3, 28.2.3.
    @Test(arguments: [(13, true), (8, false)] as [(UInt64, Bool)]) func anIRETThatFaultsBlocksNMIsAgain(
        vector: UInt64, blocks: Bool
    ) {
        exits(EXIT_EXCEPTION_NMI)
        machine[VMCS_EXIT_INTERRUPTION_INFO] = Self.valid | 1 << 12 | 1 << 11 | 3 << 8 | vector
        machine[VMCS_EXIT_INTERRUPTION_ERROR_CODE] = 0
        fake.pointee.polled = -EINTR
        #expect(lkx_vcpu_run(machine.vcpu) == -EINTR)
        #expect(machine[VMCS_GUEST_INTERRUPTIBILITY] == (blocks ? 8 : 0))
        #expect(fake.pointee.host_events == 1)
    }

    @Test func anEventThatWasOnItsWayGoesAgain() {
        exits(EXIT_EXTERNAL_INTERRUPT)
        machine[VMCS_IDT_VECTORING_INFO] = Self.valid | 1 << 11 | 3 << 8 | 14
        machine[VMCS_IDT_VECTORING_ERROR_CODE] = 6
        fake.pointee.polled = -EINTR
        #expect(lkx_vcpu_run(machine.vcpu) == -EINTR)
        machine[VMCS_IDT_VECTORING_INFO] = 0
        exits(EXIT_HLT)
        fake.pointee.polled = 0
        machine[VMCS_CR0_READ_SHADOW] = 1
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(machine[VMCS_ENTRY_INTERRUPTION_INFO] == Self.valid | 1 << 11 | 3 << 8 | 14)
        #expect(machine[VMCS_ENTRY_EXCEPTION_ERROR_CODE] == 6)
    }
}
