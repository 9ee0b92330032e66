// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// Local APICs in xAPIC mode on a processor that does part of their work, by the APIC-access page. The tests do the processor's part.
@Suite final class LAPICAccessPageTests {
    static let accesses: UInt64 = 1, x2APIC: UInt64 = 1 << 4, registers: UInt64 = 1 << 8, delivery: UInt64 = 1 << 9
    static let shadow: UInt64 = 1 << 21, cr8Exits: UInt64 = 3 << 19
    static let base: UInt64 = 0xfee0_0000
    static let read: UInt64 = 1, write: UInt64 = 2, fetch: UInt64 = 4, ofTheAccess: UInt64 = 0x180

    let apics: TwoAPICs
    let v: UnsafeMutablePointer<lkx_vcpu>
    var machine: FakeMachine { apics.machine }
    var lapic: UnsafeMutablePointer<lkx_lapic> { v.pointee.lapic }

    init() throws {
        apics = try TwoAPICs()
        v = apics.first
        apics.machine[VMCS_GUEST_RFLAGS] = 0x202
        #expect(lkx_ept_init(apics.machine.vm, true) == 0)
    }

    @discardableResult
    private func lap() -> UInt64 { apics.lap() }
    private func page(_ register: lkx_lapic_register, _ bank: Int = 0) -> UInt32 { apics.page(register, bank) }

    /// The guest writes to the page, and the processor exits behind that.
    private func written(_ offset: Int, _ value: UInt32) {
        lapic.pointee.page[offset / 16 * 4] = value
        #expect(exit(EXIT_APIC_WRITE, qualification: UInt64(offset)) == 1)
    }

    private func exit(_ reason: lkx_exit_reason, qualification: UInt64, gpa: UInt64 = 0) -> Int32 {
        v.pointee.exit.reason = UInt32(reason.rawValue)
        v.pointee.exit.qualification = qualification
        v.pointee.exit.gpa = gpa
        v.pointee.exit.instruction_length = 2
        return lkx_exit_dispatch(v)
    }

    /// The controls of the VMCS that are APICs'; they go together.
    private var controls: UInt64 {
        let proc = machine[VMCS_PROC_CONTROLS], proc2 = machine[VMCS_PROC2_CONTROLS]
        let apic = proc2 & (Self.accesses | Self.x2APIC | Self.registers | Self.delivery)
        let on = apic & Self.registers != 0
        #expect(proc & (Self.shadow | Self.cr8Exits) == (on ? Self.shadow : Self.cr8Exits))
        #expect(machine[VMCS_MSR_BITMAP] == v.pointee.vm.pointee.caps.pointee.msr_bitmap_pa + (apic & Self.x2APIC != 0 ? 4096 : 0))
        return apic
    }

    private var isActive: Bool { controls == Self.accesses | Self.registers }

    private var mapped: UInt64 {
        var level: Int32 = 0
        let entry = lkx_ept_lookup(machine.vm, Self.base >> 12, &level)
        return level == 1 ? entry : 0
    }

    private func violation(_ access: UInt64, at gpa: UInt64 = base + 0x80) -> Int32 {
        exit(EXIT_EPT_VIOLATION, qualification: access | Self.ofTheAccess, gpa: gpa)
    }

    private func setBase(_ value: UInt64) { #expect(!lkx_msr_set(v, 0x1b, value, false)) }

    @Test func controlsFollowTheMode() {
        machine[VMCS_TPR_THRESHOLD] = 7
        #expect(controls == 0 && machine[VMCS_APIC_ACCESS_ADDR] == UInt64(UInt(bitPattern: machine.vm.pointee.apic_page)))
        v.pointee.tlb_generation = 5
        lap()
        #expect(isActive && v.pointee.tlb_generation == ~0, "what the processor knows of the address may be older")
        for (base, expected) in [
            (0xfed0_0900, 0), (0xfee0_0900, Self.accesses | Self.registers), (0xfee0_0d00, Self.x2APIC | Self.registers | Self.delivery),
            (0xfee0_0900, Self.accesses | Self.registers), (0xfee0_0100, 0), (0xfee0_0d00, Self.x2APIC | Self.registers | Self.delivery),
            (0xfed0_0d00, Self.x2APIC | Self.registers | Self.delivery), (0x1_fee0_0900, 0), (0xfee0_0800, Self.accesses | Self.registers),
        ] as [(UInt64, UInt64)] {
            let before = controls & Self.accesses
            v.pointee.tlb_generation = 5
            setBase(base)
            lap()
            #expect(controls == expected, "\(String(base, radix: 16))")
            #expect((v.pointee.tlb_generation == ~0) == (before != expected & Self.accesses))
        }
    }

    @Test func aNewOnesThreshold() throws {
        machine[VMCS_TPR_THRESHOLD] = 7
        lkx_lapic_destroy(v)
        #expect(lkx_lapic_create(v) == 0 && machine[VMCS_TPR_THRESHOLD] == 0)
    }

    @Test func thePageIsMappedWhereTheGuestTouchesIt() {
        #expect(mapped == 0 && violation(Self.write) == 0 && mapped == 0, "not without the control")
        lap()
        #expect(violation(Self.fetch) == 0 && mapped == 0)
        #expect(v.pointee.run.pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
        machine[VMCS_GUEST_RIP] = 0x1234
        #expect(violation(Self.write) == 1 && machine[VMCS_GUEST_RIP] == 0x1234)
        #expect(mapped & 0xf_ffff_ffff_f007 == machine[VMCS_APIC_ACCESS_ADDR] | 3)
        #expect(lkx_ept_reclaim(machine.vm) != 0 && mapped == 0)
        #expect(violation(Self.read) == 1 && mapped != 0)
        #expect(violation(Self.read, at: Self.base + 0x1000) == 0)
    }

    /// For one that does not virtualize the accesses the page would be memory: it is gone before that one runs, and does not come again.
    @Test(arguments: [0xfee0_0d00, 0xfed0_0900, 0xfee0_0100] as [UInt64])
    func itGoesWithTheFirstThatHasNoUseForIt(base: UInt64) {
        lap()
        #expect(violation(Self.write) == 1 && mapped != 0)
        let old = apics.other.pointee.apic_base, generation = machine.vm.pointee.ept.generation
        apics.other.pointee.apic_base = base
        lkx_lapic_base_changed(apics.other, old)
        #expect(mapped == 0 && machine.vm.pointee.ept.generation == generation + 1 && machine.fake.pointee.kicks == 1)
        #expect(violation(Self.write) == 0 && mapped == 0 && v.pointee.run.pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
        apics.other.pointee.apic_base = old
        lkx_lapic_base_changed(apics.other, base)
        #expect(violation(Self.write) == 0 && mapped == 0)
    }

    @Test func thePageGoesWithTheTables() {
        let pages = machine.fake.pointee.hw.pages
        lkx_ept_destroy(machine.vm)
        lkx_ept_destroy(machine.vm)
        #expect(machine.fake.pointee.hw.pages == pages - 2, "it, and the root")
    }

    @Test func memoryGoesBefore() {
        lap()
        #expect(violation(Self.write) == 1 && mapped != 0)
        var region = kvm_userspace_memory_region(slot: 0, flags: 0, guest_phys_addr: 0xfed0_0000, memory_size: 0x10_0000, userspace_addr: 0x10_0000)
        #expect(lkx_memslot_apply(machine.vm, &region) == 0 && mapped != 0, "next to it")
        region = kvm_userspace_memory_region(slot: 1, flags: 0, guest_phys_addr: 0xfee0_0000, memory_size: 0x1000, userspace_addr: 0x20_0000)
        #expect(lkx_memslot_apply(machine.vm, &region) == 0 && mapped == 0 && machine.fake.pointee.kicks == 1)
        #expect(!lkx_lapic_map(v, Self.base, Self.write) && mapped == 0)
        lkx_memslots_destroy(machine.vm)
    }

    @Test func writesAreTrapsBehindTheInstruction() {
        lap()
        machine[VMCS_GUEST_RIP] = 0x1234
        written(0x360, 0xffff_ffff)
        #expect(machine[VMCS_GUEST_RIP] == 0x1234 && apics.read(v, LAPIC_LVT_LINT1) == 0x1a7ff)
        lap()
        #expect(isActive && page(LAPIC_LVT_LINT1) == 0x1a7ff, "what it doesn't take is not read back")
        written(0xe0, 0)
        lap()
        #expect(page(LAPIC_DFR) == 0x0fff_ffff)
        written(0x380, 77)
        #expect(apics.read(v, LAPIC_TIMER_INITIAL) == 77)
        // A byte, and of what can't be written.
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x31
        written(0x81, 0x7731)
        written(0x30, 0x1111)
        lap()
        #expect(page(LAPIC_TPR) == 0x31 && page(LAPIC_VERSION) == 0x50014 && v.pointee.cr8 == 3)
        #expect(exit(EXIT_APIC_WRITE, qualification: 0xfff) == 1)
    }

    /// The processor keeps ICR's high half to itself.
    @Test func anIPI() {
        lap()
        lapic.pointee.page[Int(LAPIC_ICR2.rawValue) * 4] = 0x0100_0000
        written(0x300, 0x5062)
        #expect(apics.requested(apics.other) == [0x62] && apics.requested(v).isEmpty)
        lap()
        #expect(page(LAPIC_ICR) == 0x4062 && page(LAPIC_ICR2) == 0x0100_0000, "delivered: not for ever on its way")
        lapic.pointee.page[Int(LAPIC_ICR2.rawValue) * 4] = 0x0200_0000
        var state = kvm_lapic_state()
        lkx_lapic_get(v, &state)
        #expect(withUnsafeBytes(of: &state) { $0[0x313] } == 2)
        // The page is withdrawn, and the rest of the IPI comes by an EPT violation.
        lap()
        lapic.pointee.page[Int(LAPIC_ICR2.rawValue) * 4] = 0x0100_0000
        var icr: UInt32 = 0x4063
        #expect(withUnsafeMutableBytes(of: &icr) { lkx_lapic_mmio(v, Self.base + 0x300, $0.baseAddress, 4, true) })
        #expect(apics.requested(apics.other) == [0x62, 0x63])
    }

    @Test func whatWaitsAndWhatIsInServiceIsRead() {
        machine[VMCS_GUEST_RFLAGS] = 2
        lap()
        #expect(lkx_lapic_interrupt(v, 0x55, true))
        #expect(lap() == 0 && page(LAPIC_IRR, 2) == 1 << 0x15 && page(LAPIC_TMR, 2) == 1 << 0x15 && isActive)
        machine[VMCS_GUEST_RFLAGS] = 0x202
        #expect(lap() == 0x55 && page(LAPIC_IRR, 2) == 0 && page(LAPIC_ISR, 2) == 1 << 0x15 && page(LAPIC_TMR, 2) == 1 << 0x15)
        written(0xb0, 0)
        #expect(apics.vectors(v, LAPIC_ISR).isEmpty)
        lap()
        #expect(page(LAPIC_ISR, 2) == 0 && isActive)
    }

    @Test func theTaskPriority() {
        lap()
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x60
        lkx_lapic_leave(v)
        #expect(v.pointee.cr8 == 6)
        #expect(lkx_lapic_interrupt(v, 0x61, false))
        #expect(lap() == 0 && controls == Self.accesses, "the guest's next write to TPR has to exit")
        #expect(v.pointee.tlb_generation == ~0 && apics.read(v, LAPIC_TPR) == 0x60)
        var tpr: UInt32 = 0x50
        #expect(withUnsafeMutableBytes(of: &tpr) { lkx_lapic_mmio(v, Self.base + 0x80, $0.baseAddress, 4, true) })
        #expect(lap() == 0x61 && isActive && page(LAPIC_TPR) == 0x50)
    }

    /// Here the guest's own word saves an exit.
    @Test func pvEOI() {
        machine.addSlot(0, bytes: 0x2000)
        #expect(!lkx_msr_set(v, 0x4b56_4d04, 0x1001, true))
        lap()
        #expect(lkx_lapic_interrupt(v, 0x41, false))
        #expect(lap() == 0x41 && isActive && machine.read(0x1000, bytes: 1) == 1 && page(LAPIC_ISR, 2) == 2)
        machine.write(0x1000, 0, bytes: 1)
        #expect(lkx_lapic_interrupt(v, 0x31, false))
        #expect(lap() == 0x31 && isActive && page(LAPIC_ISR, 2) == 0 && page(LAPIC_ISR, 1) == 0x20000)
    }

    /// A flat real-mode guest at 0x1000, whose instruction made the processor exit.
    private func access(_ code: [UInt8], _ qualification: UInt64, address: UInt64 = base) -> Int32 {
        if machine.vm.pointee.slots == nil { machine.addSlot(0, bytes: 0x2000) }
        machine.write(0x1000, code)
        machine[VMCS_GUEST_CS_BASE] = 0
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[RAX] = address
        machine[RCX] = 0x1234_5678
        machine[VMCS_GUEST_LINEAR_ADDRESS] = 0x9999
        return exit(EXIT_APIC_ACCESS, qualification: qualification)
    }

    private static let load: [UInt8] = [0x67, 0x66, 0x8b, 0x08], store: [UInt8] = [0x67, 0x66, 0x89, 0x08]  // mov (%eax), %ecx and back

    @Test func whatTheProcessorLeavesToTheModule() {
        lap()
        #expect(apics.write(v, LAPIC_TPR, 0x42))
        lap()
        #expect(access(Self.load, 0xa0, address: Self.base + 0xa0) == 1 && machine[RCX] == 0x42 && machine[VMCS_GUEST_RIP] == 0x1004)
        #expect(access(Self.store, 0x1030, address: Self.base + 0x30) == 1 && machine[VMCS_GUEST_RIP] == 0x1004)
        #expect(apics.read(v, LAPIC_VERSION) == 0x50014)
        // Not the instruction that the processor saw: again.
        #expect(access(Self.store, 0xa0, address: Self.base + 0xa0) == 1 && machine[VMCS_GUEST_RIP] == 0x1000)
        #expect(access(Self.load, 0xa0, address: Self.base + 0xa4) == 1 && machine[VMCS_GUEST_RIP] == 0x1000)
    }

    @Test(arguments: [0x2000, 0xf000] as [UInt64])
    func whatNobodyCanFinish(type: UInt64) {
        lap()
        #expect(access(Self.load, type | 0xa0, address: Self.base + 0xa0) == 0)
        #expect(v.pointee.run.pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
        #expect(v.pointee.run.pointee.internal.suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION))
    }

    @Test func anEventsDelivery() {
        lap()
        v.pointee.exit.idt_vectoring_info = 0x8000_0030
        #expect(access(Self.load, 0x30a0) == 0)
        #expect(v.pointee.run.pointee.internal.suberror == UInt32(KVM_INTERNAL_ERROR_DELIVERY_EV))
        #expect(v.pointee.run.pointee.internal.data.3 == Self.base + 0xa0)
    }

    @Test func withoutAnAPICThereIsNoSuchExit() throws {
        let machine = try FakeMachine(reset: .skylake)
        machine.fake.pointee.vcpu.exit.reason = UInt32(EXIT_APIC_WRITE.rawValue)
        #expect(lkx_exit_dispatch(machine.vcpu) == 0)
        #expect(fake_run(machine.fake).pointee.internal.suberror == UInt32(KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON))
    }
}
