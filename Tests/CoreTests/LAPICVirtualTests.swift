// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// Local APICs in x2APIC mode on a processor that does part of their work. The processor's part the tests do, in the virtual-APIC page. (xAPIC mode:
/// LAPICAccessPageTests.)
@Suite struct LAPICVirtualTests {
    static let secondary: UInt64 = 1 << 4 | 1 << 8 | 1 << 9
    static let shadow: UInt64 = 1 << 21, cr8Exits: UInt64 = 3 << 19
    static let interruptWindow: UInt64 = 1 << 2

    let apics: TwoAPICs
    let v: UnsafeMutablePointer<lkx_vcpu>
    var machine: FakeMachine { apics.machine }
    var lapic: UnsafeMutablePointer<lkx_lapic> { v.pointee.lapic }

    init() throws {
        apics = try TwoAPICs(x2apic: true)
        v = apics.first
        apics.machine[VMCS_GUEST_RFLAGS] = 0x202
    }

    @discardableResult
    private func lap() -> UInt64 { apics.lap() }
    private func page(_ register: lkx_lapic_register, _ bank: Int = 0) -> UInt32 { apics.page(register, bank) }

    /// What the processor does when the guest writes EOI.
    private func endOfInterrupt(_ vector: Int) { apics.change(LAPIC_ISR, vector, false) }

    private var isActive: Bool {
        let proc = machine[VMCS_PROC_CONTROLS], proc2 = machine[VMCS_PROC2_CONTROLS], bitmap = machine[VMCS_MSR_BITMAP]
        let on = proc & Self.shadow != 0
        #expect(on == (proc & Self.cr8Exits == 0) && proc & Self.cr8Exits != Self.shadow)
        #expect(proc2 & Self.secondary == (on ? Self.secondary : 0) && proc2 & 1 == 0)
        #expect(bitmap == v.pointee.vm.pointee.caps.pointee.msr_bitmap_pa + (on ? 4096 : 0))
        return on
    }

    @Test func whichProcessorsCan() {
        for model in ProcessorModel.all {
            let can = (try? FakeMachine(reset: model))?.fake.pointee.caps.virtual_interrupts
            #expect(can == (model.proc2 >> 32 & (Self.secondary | 1) == Self.secondary | 1 && model.proc >> 32 & Self.shadow != 0), "\(model)")
        }
    }

    @Test func inX2APICModeOnly() throws {
        #expect(!isActive)
        lap()
        #expect(isActive && machine[VMCS_VIRTUAL_APIC_ADDR] != 0 && page(LAPIC_SVR) == 0x1ff && page(LAPIC_LDR) == 1)
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x25
        lkx_lapic_leave(v)
        #expect(v.pointee.cr8 == 2 && lapic.pointee.in_page, "for the run page")
        #expect(!lkx_msr_set(v, 0x1b, 0xfee0_0100, true))
        lap()
        #expect(!isActive && v.pointee.cr8 == 2)
        #expect(!lkx_msr_set(v, 0x1b, 0xfed0_0900, true))
        lap()
        #expect(!isActive && apics.read(v, LAPIC_TPR) == 0x25)
        #expect(!lkx_msr_set(v, 0x1b, 0xfed0_0d00, true))
        lap()
        #expect(isActive && page(LAPIC_TPR) == 0x25)
    }

    @Test func notWithoutThePage() throws {
        machine.fake.pointee.caps.virtual_interrupts = false
        let other = try TwoAPICs(x2apic: true)
        lkx_lapic_destroy(other.first)
        other.machine.fake.pointee.caps.virtual_interrupts = false
        #expect(lkx_lapic_create(other.first) == 0 && lkx_events_inject(other.first) == 1)
        #expect(other.machine[VMCS_PROC_CONTROLS] & Self.shadow == 0)
    }

    @Test func interruptsAndTheirEnds() {
        lap()
        #expect(lkx_lapic_interrupt(v, 0x41, false))
        #expect(lap() == 0x41 && isActive)
        #expect(page(LAPIC_ISR, 2) == 2 && machine[VMCS_GUEST_INTERRUPT_STATUS] == 0x4100)
        // A higher one meanwhile: both are in service.
        #expect(lkx_lapic_interrupt(v, 0x91, false))
        #expect(lap() == 0x91 && isActive && machine[VMCS_GUEST_INTERRUPT_STATUS] == 0x9100)
        #expect(page(LAPIC_ISR, 2) == 2 && page(LAPIC_ISR, 4) == 0x20000)
        endOfInterrupt(0x91)
        var state = kvm_lapic_state()
        lkx_lapic_get(v, &state)
        #expect(apics.vectors(v, LAPIC_ISR) == [0x41] && machine.fake.pointee.vcpu.events.requests & UInt8(LKX_REQUEST_LAPIC) != 0)
        lap()
        #expect(isActive && machine[VMCS_GUEST_INTERRUPT_STATUS] == 0x4100 && page(LAPIC_ISR, 2) == 2 && page(LAPIC_ISR, 4) == 0)
    }

    @Test func whatPriorityHoldsBackTakesTheAPICFromTheProcessor() {
        lap()
        #expect(lkx_lapic_interrupt(v, 0x55, false) && lkx_lapic_interrupt(v, 0x52, false))
        #expect(lap() == 0x55 && !isActive)
        #expect(apics.write(v, LAPIC_EOI, 0, x2apic: true))
        #expect(lap() == 0x52 && isActive && machine[VMCS_GUEST_INTERRUPT_STATUS] == 0x5200)
        endOfInterrupt(0x52)
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x60
        #expect(lkx_lapic_interrupt(v, 0x61, false))
        #expect(lap() == 0 && !isActive && v.pointee.cr8 == 6 && apics.requested(v) == [0x61])
        #expect(!lkx_cr8_set(v, 5))
        #expect(lap() == 0x61 && isActive && page(LAPIC_TPR) == 0x50)
    }

    /// It waits for the guest's IF, and may be held back by the time.
    @Test func aWindow() {
        machine[VMCS_GUEST_RFLAGS] = 2
        lap()
        #expect(lkx_lapic_interrupt(v, 0x55, false))
        #expect(lap() == 0 && isActive && machine[VMCS_PROC_CONTROLS] & Self.interruptWindow != 0)
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x50
        machine[VMCS_GUEST_RFLAGS] = 0x202
        #expect(lkx_exit_interrupt_window(v) == 1 && lap() == 0 && !isActive)
        #expect(machine[VMCS_PROC_CONTROLS] & Self.interruptWindow == 0)
        #expect(apics.write(v, LAPIC_TPR, 0, x2apic: true) && lap() == 0x55 && isActive)
    }

    @Test func registersAreReadWithoutExits() {
        lap()
        #expect(apics.write(v, LAPIC_LVT_LINT1, 0x400, x2apic: true) && apics.write(v, LAPIC_ICR, 0x4062, x2apic: true))
        #expect(lap() == 0x62 && page(LAPIC_LVT_LINT1) == 0x400)
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x11
        #expect(apics.write(v, LAPIC_TIMER_INITIAL, 5, x2apic: true) && lapic.pointee.in_page)
        var sregs = kvm_sregs()
        lkx_get_sregs(v, &sregs)
        #expect(sregs.cr8 == 1)
        lkx_lapic_reset(v, true)
        lap()
        #expect(page(LAPIC_LVT_LINT1) == 0x10000 && page(LAPIC_TPR) == 0 && page(LAPIC_ISR, 3) == 0 && page(LAPIC_SVR) == 0xff)
    }

    @Test func loadedState() {
        lap()
        lapic.pointee.page[Int(LAPIC_TPR.rawValue) * 4] = 0x70
        var state = kvm_lapic_state()
        lkx_lapic_get(v, &state)
        withUnsafeMutableBytes(of: &state) {
            $0[0x80] = 0x20
            $0[0x120] = 0x10  // 0x44 in service
            $0[0x230] = 0x01  // 0x60 requested
        }
        #expect(lkx_lapic_set(v, &state) == 0)
        #expect(lap() == 0x60 && isActive && page(LAPIC_TPR) == 0x20)
        #expect(page(LAPIC_ISR, 2) == 0x10 && page(LAPIC_ISR, 3) == 1 && machine[VMCS_GUEST_INTERRUPT_STATUS] == 0x6000)
    }

    private func setRoute(_ vector: UInt32) {
        var entry = kvm_irq_routing_entry()
        entry.gsi = 3
        entry.type = UInt32(KVM_IRQ_ROUTING_MSI)
        entry.u.msi.address_lo = 0xfee0_0000
        entry.u.msi.data = 0x8000 | vector
        var routes: UnsafeMutablePointer<lkx_routes>?
        #expect(lkx_routing_make(machine.vm, &entry, 1, &routes) == 0)
        lkx_routing_replace(machine.vm, routes)
    }

    @Test func endsThatUserSpaceIsToldOf() {
        setRoute(0x61)
        lap()
        #expect(machine[VMCS_EOI_EXIT_BITMAP0] == 0 && machine[VMCS_EOI_EXIT_BITMAP1] == 1 << 33)
        setRoute(0xc2)
        #expect(machine.fake.pointee.vcpu.events.requests & UInt8(LKX_REQUEST_LAPIC) != 0)
        lap()
        #expect(machine[VMCS_EOI_EXIT_BITMAP1] == 0 && machine[VMCS_EOI_EXIT_BITMAP3] == 4)
        #expect(lkx_routing_deliver(machine.vm, 3) == 1 && lap() == 0xc2)
        endOfInterrupt(0xc2)
        machine[VMCS_GUEST_RIP] = 0x1234
        v.pointee.exit.reason = UInt32(EXIT_VIRTUALIZED_EOI.rawValue)
        v.pointee.exit.qualification = 0xc2
        v.pointee.exit.instruction_length = 2
        #expect(lkx_exit_dispatch(v) == 1 && machine[VMCS_GUEST_RIP] == 0x1234)
        #expect(lkx_events_inject(v) == 0)
        #expect(v.pointee.run.pointee.exit_reason == UInt32(KVM_EXIT_IOAPIC_EOI) && v.pointee.run.pointee.eoi.vector == 0xc2)
        lap()
        #expect(apics.vectors(v, LAPIC_ISR).isEmpty)
        lkx_routing_destroy(machine.vm)
    }

    /// The guest's own word for an end, by memory, is not asked for where no end costs an exit.
    @Test func noPVEOI() {
        machine.addSlot(0, bytes: 0x2000)
        #expect(!lkx_msr_set(v, 0x4b56_4d04, 0x1001, true))
        lap()
        #expect(lkx_lapic_interrupt(v, 0x41, false))
        #expect(lap() == 0x41 && isActive && machine.read(0x1000, bytes: 1) == 0)
        endOfInterrupt(0x41)
        #expect(lkx_lapic_interrupt(v, 0x42, false))
        #expect(lap() == 0x42 && apics.vectors(v, LAPIC_ISR) == [0x42])
    }

    /// A filter's bitmap comes first: there all of them exit.
    @Test func filters() {
        machine.vm.pointee.msr_bitmap_pa = 0x7000
        lap()
        #expect(machine[VMCS_MSR_BITMAP] == 0x7000 && lapic.pointee.controls != 0)
        machine.vm.pointee.msr_bitmap_pa = 0
        lkx_msr_bitmap_follow(v)
        #expect(isActive)
    }

    @Test(arguments: [false, true]) func theBitmap(posted: Bool) {
        var page = [UInt8](repeating: 0xff, count: 4096)
        lkx_lapic_pass_through(&page, posted)
        func without(_ base: Int) -> [Int] { (0..<8192).filter { page[base + $0 / 8] >> UInt8($0 % 8) & 1 == 0 } }
        var reads: [Int] = [0x802, 0x803, 0x808, 0x80a, 0x80d, 0x80f, 0x828, 0x83e]
        reads += Array(0x810...0x817)
        reads += Array(0x832...0x837)
        #expect(without(0) == reads.sorted())
        #expect(without(2048) == [0x808, 0x80b] + (posted ? [0x83f] : []))
        #expect(page[1024..<2048].allSatisfy { $0 == 0xff } && page[3072...].allSatisfy { $0 == 0xff })
    }
}
