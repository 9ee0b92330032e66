// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// A local APIC in x2APIC mode whose interrupts the processor delivers, too: by RVI, and posted ones while the guest runs. What the processor does of
/// that the tests do. (With a processor that does it by itself: SimulatorTests.)
@Suite struct PostedInterruptTests {
    static let posts: UInt64 = 1 << 7
    static let window: UInt64 = 1 << 2
    static let valid: UInt64 = 1 << 31

    let apics: TwoAPICs
    let v: UnsafeMutablePointer<lkx_vcpu>
    var machine: FakeMachine { apics.machine }
    var lapic: UnsafeMutablePointer<lkx_lapic> { v.pointee.lapic }

    init() throws {
        apics = try TwoAPICs(x2apic: true, on: .sapphireRapids)
        v = apics.first
        apics.machine[VMCS_GUEST_RFLAGS] = 0x202
    }

    @discardableResult
    private func lap() -> UInt64 { apics.lap() }
    private var status: UInt64 { machine[VMCS_GUEST_INTERRUPT_STATUS] }
    private var isPosting: Bool { machine[VMCS_PIN_CONTROLS] & Self.posts != 0 }
    private var isRequested: Bool { v.pointee.events.requests & UInt8(LKX_REQUEST_LAPIC) != 0 }

    private func change(_ register: lkx_lapic_register, _ vector: Int, _ value: Bool) { apics.change(register, vector, value) }
    private func vectors(_ register: lkx_lapic_register) -> [Int] {
        (0..<256).filter { apics.page(register, $0 / 32) >> UInt32($0 % 32) & 1 != 0 }
    }
    /// What came and is not the processor's yet.
    private var waiting: [Int] {
        let irr = lapic.pointee.irr
        let words: [UInt64] = [irr.0, irr.1, irr.2, irr.3]
        return (0..<256).filter { (vector: Int) -> Bool in words[vector / 64] >> UInt64(vector % 64) & 1 != 0 }
    }
    /// The processor has delivered one that it had, and has another.
    private func deliver(_ vector: Int, then next: Int) {
        change(LAPIC_IRR, vector, false)
        change(LAPIC_ISR, vector, true)
        machine[VMCS_GUEST_INTERRUPT_STATUS] = UInt64(vector << 8 | next)
    }

    @Test func whichProcessorsCan() throws {
        for model in ProcessorModel.all {
            let caps = try FakeMachine(reset: model).fake.pointee.caps
            #expect(caps.posted_interrupts == (model.description == ProcessorModel.sapphireRapids.description) && caps.acknowledge_interrupts)
        }
        func without(_ change: (inout ProcessorModel) -> Void) throws -> lkx_vmx_caps {
            var model = ProcessorModel.sapphireRapids
            change(&model)
            return try FakeMachine(reset: model).fake.pointee.caps
        }
        #expect(try !without { $0.pin &= ~(1 << 39) }.posted_interrupts)
        #expect(try !without { $0.proc2 &= ~(1 << 41) }.posted_interrupts)
        let caps = try without { $0.exit &= ~(1 << 47) }
        #expect(!caps.posted_interrupts && !caps.acknowledge_interrupts && caps.virtual_interrupts)
    }

    /// VM entry wants them together, the descriptor 64-byte aligned and the vector of 8 bits. SDM vol. 3, 27.2.1.1.
    @Test func controls() throws {
        // There is one VMCS here, and the second vCPU was made last.
        let address = machine[VMCS_POSTED_INTERRUPT_DESC_ADDR]
        #expect(address == UInt64(UInt(bitPattern: apics.other.pointee.lapic)) && address % 64 == 0 && UInt(bitPattern: lapic) % 64 == 0)
        #expect(machine[VMCS_POSTED_INTERRUPT_VECTOR] == UInt64(PLAT_NOTIFICATION_VECTOR) && machine[VMCS_EXIT_CONTROLS] & 1 << 15 != 0)
        #expect(!isPosting)
        lap()
        #expect(isPosting && machine[VMCS_PROC2_CONTROLS] & 1 << 9 != 0)
        #expect(!lkx_msr_set(v, 0x1b, 0xfee0_0100, true))
        lap()
        #expect(!isPosting && machine[VMCS_PROC2_CONTROLS] & 1 << 9 == 0)
        #expect(!lkx_msr_set(v, 0x1b, 0xfee0_0900, true))
        lap()
        #expect(!isPosting && machine[VMCS_PROC2_CONTROLS] & 1 << 9 == 0)
        // A processor that doesn't keeps the control 0, and the exit's is its own.
        let plain = try TwoAPICs(x2apic: true)
        plain.lap()
        #expect(plain.machine[VMCS_PIN_CONTROLS] & Self.posts == 0 && plain.machine[VMCS_EXIT_CONTROLS] & 1 << 15 != 0)
        #expect(plain.machine[VMCS_POSTED_INTERRUPT_DESC_ADDR] == 0)
    }

    /// By RVI, not injected, and no window asked for, whatever the guest's IF and priority.
    @Test func theProcessorDelivers() {
        machine[VMCS_GUEST_RFLAGS] = 2
        lap()
        #expect(lkx_lapic_interrupt(v, 0x41, false) && lkx_lapic_interrupt(v, 0x35, false))
        #expect(waiting == [0x35, 0x41] && isRequested)
        #expect(lap() == 0 && isPosting && status == 0x0041 && vectors(LAPIC_IRR) == [0x35, 0x41] && waiting.isEmpty)
        #expect(machine[VMCS_PROC_CONTROLS] & Self.window == 0)
        deliver(0x41, then: 0x35)
        // A higher one, while one is in service.
        #expect(lkx_lapic_interrupt(v, 0x91, false) && lap() == 0)
        #expect(status == 0x4191 && vectors(LAPIC_IRR) == [0x35, 0x91] && vectors(LAPIC_ISR) == [0x41])
        deliver(0x91, then: 0x35)
        change(LAPIC_ISR, 0x91, false)
        machine[VMCS_GUEST_INTERRUPT_STATUS] = 0x4135
        // Nothing came: nothing changes.
        lkx_request(v, UInt8(LKX_REQUEST_LAPIC))
        #expect(lap() == 0 && status == 0x4135 && vectors(LAPIC_IRR) == [0x35])
        // A TPR that holds it back takes nothing from the processor.
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0xf0
        lkx_request(v, UInt8(LKX_REQUEST_LAPIC))
        #expect(lap() == 0 && isPosting && status == 0x4135)
    }

    @Test func everythingCanBeReadBack() {
        lap()
        #expect(lkx_lapic_interrupt(v, 0x41, false) && lkx_lapic_interrupt(v, 0xe3, false) && lap() == 0)
        deliver(0xe3, then: 0x41)
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x25
        #expect(lkx_lapic_interrupt(v, 0x62, false))
        var state = kvm_lapic_state()
        lkx_lapic_get(v, &state)
        #expect(apics.requested(v) == [0x41, 0x62] && apics.vectors(v, LAPIC_ISR) == [0xe3] && v.pointee.cr8 == 2)
        #expect(waiting == [0x41, 0x62] && vectors(LAPIC_IRR).isEmpty, "each is in one place only")
        #expect(lap() == 0 && status == 0xe362 && vectors(LAPIC_IRR) == [0x41, 0x62] && waiting.isEmpty)
        // As a new vCPU has it.
        withUnsafeMutableBytes(of: &state) { $0[0x230] |= 1 }
        #expect(lkx_lapic_set(v, &state) == 0 && lap() == 0)
        #expect(status == 0xe362 && vectors(LAPIC_IRR) == [0x41, 0x60, 0x62])
        lkx_lapic_reset(v, true)
        #expect(lap() == 0 && status == 0 && vectors(LAPIC_IRR).isEmpty && waiting.isEmpty)
    }

    /// The sender's notification: of an interrupt by its own vector, of the rest by one that ends the lap.
    @Test func notifications() {
        #expect(lkx_lapic_interrupt(v, 0x41, false) && machine.fake.pointee.posted == 0, "not before the VMCS has it so")
        lap()
        #expect(lkx_lapic_interrupt(v, 0x42, false) && machine.fake.pointee.posted == 1 && machine.fake.pointee.notified == 2 && isRequested)
        lkx_lapic_post(v, UInt64(1 << 3))
        #expect(machine.fake.pointee.posted == 1 && machine.fake.pointee.notified == 3)
        #expect(!lkx_lapic_interrupt(v, 3, false) && machine.fake.pointee.posted == 1 && machine.fake.pointee.notified == 4)
        #expect(lkx_lapic_interrupt(v, 0x42, false) && machine.fake.pointee.posted == 1 && machine.fake.pointee.notified == 4)
        #expect(!lkx_msr_set(v, 0x1b, 0xfee0_0100, true))
        lap()
        #expect(!lkx_msr_set(v, 0x1b, 0xfee0_0900, true) && !lkx_msr_set(v, 0x1b, 0xfee0_0d00, true))
        #expect(lkx_lapic_interrupt(v, 0x43, false) && machine.fake.pointee.posted == 1)
    }

    @Test func aHaltEnds() {
        lap()
        machine[VMCS_GUEST_RFLAGS] = 2
        #expect(lkx_lapic_interrupt(v, 0x41, false) && lap() == 0 && waiting.isEmpty)
        v.pointee.mp_state = UInt32(KVM_MP_STATE_HALTED)
        lkx_request(v, UInt8(LKX_REQUEST_LAPIC))
        #expect(apics.look() == -EINTR, "interrupts are off")
        machine[VMCS_GUEST_RFLAGS] = 0x202
        #expect(apics.look() == 1 && v.pointee.mp_state == UInt32(KVM_MP_STATE_RUNNABLE))
        lkx_request(v, UInt8(LKX_REQUEST_LAPIC))
        #expect(lap() == 0 && status == 0x41 && vectors(LAPIC_IRR) == [0x41])
        v.pointee.mp_state = UInt32(KVM_MP_STATE_HALTED)
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x40
        lkx_request(v, UInt8(LKX_REQUEST_LAPIC))
        #expect(apics.look() == -EINTR)
    }

    /// An exit came between, on the way to the handler: it is in service, and is injected.
    @Test func aDeliveryThatIsInterrupted() {
        lap()
        #expect(lkx_lapic_interrupt(v, 0x41, false) && lkx_lapic_interrupt(v, 0x45, false) && lap() == 0)
        deliver(0x45, then: 0x41)
        v.pointee.exit.idt_vectoring_info = UInt32(Self.valid | 0x45)
        lkx_events_after_exit(v)
        #expect(lkx_events_inject(v) == 1 && machine[VMCS_ENTRY_INTERRUPTION_INFO] == Self.valid | 0x45 && status == 0x4541)
        // Put off, and the guest's IF gone: it waits for it, and comes once.
        lkx_events_cancel(v)
        machine[VMCS_GUEST_RFLAGS] = 2
        #expect(lkx_events_inject(v) == 1 && machine[VMCS_ENTRY_INTERRUPTION_INFO] == 0)
        #expect(machine[VMCS_PROC_CONTROLS] & Self.window != 0 && status == 0x4541)
        machine[VMCS_GUEST_RFLAGS] = 0x202
        #expect(lkx_exit_interrupt_window(v) == 1 && lap() == 0x45 && machine[VMCS_PROC_CONTROLS] & Self.window == 0)
        #expect(lap() == 0 && status == 0x4541 && vectors(LAPIC_ISR) == [0x45] && vectors(LAPIC_IRR) == [0x41])
    }

    /// User space's interrupt for LINT0 is injected as ever.
    @Test func externalInterrupts() {
        lap()
        #expect(apics.write(v, LAPIC_LVT_LINT0, 0x700, x2apic: true) && lkx_lapic_interrupt(v, 0x55, false))
        machine[VMCS_GUEST_RFLAGS] = 2
        #expect(lkx_lapic_extint(v, 0x30) == 0 && lap() == 0)
        #expect(machine[VMCS_PROC_CONTROLS] & Self.window != 0 && status == 0x55)
        machine[VMCS_GUEST_RFLAGS] = 0x202
        #expect(lkx_exit_interrupt_window(v) == 1 && lap() == 0x30 && machine[VMCS_PROC_CONTROLS] & Self.window == 0)
        #expect(status == 0x55 && vectors(LAPIC_ISR).isEmpty)
    }

    /// A debugger that wants no interrupts has the APIC back, and all that waits in it.
    @Test func aDebuggerHoldsThemBack() {
        lap()
        #expect(lkx_lapic_interrupt(v, 0x55, false) && lap() == 0 && status == 0x55)
        var debug = kvm_guest_debug()
        debug.control = UInt32(KVM_GUESTDBG_ENABLE) | UInt32(KVM_GUESTDBG_SINGLESTEP) | UInt32(KVM_GUESTDBG_BLOCKIRQ)
        #expect(lkx_set_guest_debug(v, &debug) == 0 && lap() == 0 && !isPosting && waiting == [0x55])
        #expect(machine[VMCS_PROC2_CONTROLS] & 1 << 9 == 0 && machine[VMCS_MSR_BITMAP] == v.pointee.vm.pointee.caps.pointee.msr_bitmap_pa)
        debug.control = 0
        #expect(lkx_set_guest_debug(v, &debug) == 0 && lap() == 0 && isPosting && status == 0x55 && waiting.isEmpty)
    }

    /// An IPI to itself of an illegal vector exits behind the instruction.
    @Test func anIllegalVectorToItself() {
        lap()
        lapic.pointee.page[Int(LAPIC_SELF_IPI.rawValue) * 4] = 5
        machine[VMCS_GUEST_RIP] = 0x1234
        #expect(machine.exit(EXIT_APIC_WRITE, qualification: 0x3f0, length: 2) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x1234)
        lap()
        #expect(apics.write(v, LAPIC_ESR, 0, x2apic: true) && apics.read(v, LAPIC_ESR, x2apic: true) == 0x40)
    }

    @Test func anAcknowledgedInterruptIsToldTheHost() {
        machine.fake.pointee.enters = true
        machine.fake.pointee.polled = -EINTR
        machine[VMCS_EXIT_REASON] = UInt64(EXIT_EXTERNAL_INTERRUPT.rawValue)
        machine[VMCS_EXIT_INTERRUPTION_INFO] = Self.valid | 0xfd
        #expect(lkx_vcpu_run(v) == -EINTR)
        #expect(v.pointee.exit.interruption_info == UInt32(Self.valid | 0xfd) && machine.fake.pointee.host_events == 1)
        machine[VMCS_EXIT_REASON] = UInt64(EXIT_PREEMPTION_TIMER.rawValue)
        #expect(lkx_vcpu_run(v) == -EINTR)
        #expect(v.pointee.exit.interruption_info == 0 && machine.fake.pointee.host_events == 1)
    }
}
