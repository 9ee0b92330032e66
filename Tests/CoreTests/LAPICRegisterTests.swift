// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// A local APIC's registers and priorities. SDM vol. 3, chapter 11.
@Suite struct LAPICRegisterTests {
    let apics: TwoAPICs

    init() throws { apics = try TwoAPICs() }

    @Test func onlyBeforeVCPUsAndOnce() throws {
        let machine = try FakeMachine(reset: .skylake)
        #expect(lkx_lapics_enable(machine.vm, 24) == -EEXIST)
        machine.vm.pointee.has_vcpus = false
        #expect(lkx_lapics_enable(machine.vm, 4097) == -EINVAL)
        #expect(lkx_lapics_enable(machine.vm, 24) == 0 && lkx_lapics_enable(machine.vm, 24) == -EEXIST)
    }

    @Test func afterReset() {
        let v = apics.first
        #expect(apics.read(v, LAPIC_VERSION) == 0x50014 && apics.read(apics.other, LAPIC_ID) == 1 << 24)
        #expect(apics.read(v, LAPIC_DFR) == 0xffff_ffff && apics.read(v, LAPIC_TPR) == 0)
        #expect(apics.read(v, LAPIC_LVT_TIMER) == 0x10000 && apics.read(v, LAPIC_LVT_ERROR) == 0x10000)
        // The boot processor's LINT0 takes ExtINT, as firmware would have set it.
        #expect(apics.read(v, LAPIC_LVT_LINT0) == 0x700 && apics.read(apics.other, LAPIC_LVT_LINT0) == 0x10000)
    }

    @Test func theHighestClassGoesFirstAndTPRHoldsBack() {
        let v = apics.first
        for vector in [0x31, 0x52, 0x55] as [UInt8] { #expect(lkx_lapic_interrupt(v, vector, false)) }
        #expect(apics.requested(v) == [0x31, 0x52, 0x55] && lkx_lapic_highest(v) == 0x55)
        apics.write(v, LAPIC_TPR, 0x50)
        #expect(lkx_lapic_highest(v) == -1 && apics.first.pointee.cr8 == 5)
        apics.write(v, LAPIC_TPR, 0x4f)
        #expect(lkx_lapic_offer(v, false) && lkx_lapic_offer(v, true))
        #expect(v.pointee.events.interrupt_pending && v.pointee.events.interrupt_vector == 0x55)
        #expect(apics.vectors(v, LAPIC_ISR) == [0x55] && apics.read(v, LAPIC_PPR) == 0x50)
        // Of the same class: not while that one is in service.
        #expect(lkx_lapic_highest(v) == -1 && !lkx_lapic_offer(v, true))
        apics.write(v, LAPIC_EOI, 0)
        #expect(apics.vectors(v, LAPIC_ISR).isEmpty && lkx_lapic_highest(v) == 0x52)
        apics.write(v, LAPIC_EOI, 0)
        #expect(lkx_lapic_highest(v) == 0x52)
    }

    @Test func illegalVectorsAreErrors() {
        let v = apics.first
        #expect(!lkx_lapic_interrupt(v, 15, false) && apics.requested(v).isEmpty)
        #expect(apics.look() == 1)
        apics.write(v, LAPIC_LVT_ERROR, 0xfe)
        apics.write(v, LAPIC_ICR, 0x0004_400f)
        #expect(apics.requested(v) == [0xfe])
        apics.write(v, LAPIC_ESR, 0)
        #expect(apics.read(v, LAPIC_ESR) == 0x60)
        apics.write(v, LAPIC_ESR, 0)
        #expect(apics.read(v, LAPIC_ESR) == 0)
    }

    @Test func softwareDisabled() {
        let v = apics.first
        apics.write(v, LAPIC_LVT_LINT1, 0x400)
        #expect(apics.read(v, LAPIC_LVT_LINT1) == 0x400)
        apics.write(v, LAPIC_SVR, 0xff)
        #expect(apics.read(v, LAPIC_LVT_LINT1) == 0x10400 && !lkx_lapic_interrupt(v, 0x40, false))
        apics.write(v, LAPIC_LVT_LINT1, 0x400)
        #expect(apics.read(v, LAPIC_LVT_LINT1) == 0x10400)
    }

    @Test func registersThatAreNone() {
        let v = apics.first
        #expect(apics.read(v, LAPIC_SELF_IPI) == nil && !apics.write(v, LAPIC_VERSION, 1))
        var value: UInt64 = 0
        #expect(lkx_lapic_read(v, 0x1000, &value, false) && lkx_lapic_write(v, 0x1000, 0, false))
        apics.write(v, LAPIC_ESR, 0)
        #expect(apics.read(v, LAPIC_ESR) == 0x80)
    }

    @Test func aPageOfRegisters() {
        let v = apics.first
        var bytes = [UInt8](repeating: 0xff, count: 8)
        #expect(!lkx_lapic_mmio(v, 0xfee0_1000, &bytes, 4, false) && !lkx_lapic_mmio(v, 0xfedf_ffff, &bytes, 4, false))
        #expect(lkx_lapic_mmio(v, 0xfee0_0031, &bytes, 2, false) && bytes[0] == 0 && bytes[1] == 5)
        // Across a register's end there is nothing.
        bytes = [UInt8](repeating: 0xff, count: 8)
        #expect(lkx_lapic_mmio(v, 0xfee0_0030, &bytes, 8, false) && bytes == [UInt8](repeating: 0, count: 8))
        bytes = [0x30, 0, 0, 0]
        #expect(lkx_lapic_mmio(v, 0xfee0_0080, &bytes, 4, true) && apics.read(v, LAPIC_TPR) == 0x30)
        bytes = [0x40, 0, 0, 0]
        #expect(lkx_lapic_mmio(v, 0xfee0_0080, &bytes, 2, true) && lkx_lapic_mmio(v, 0xfee0_0084, &bytes, 4, true))
        #expect(apics.read(v, LAPIC_TPR) == 0x30)
    }

    @Test func savedAndLoaded() {
        let v = apics.first
        _ = lkx_lapic_interrupt(v, 0x77, true)
        _ = lkx_lapic_interrupt(v, 0x99, false)
        #expect(lkx_lapic_offer(v, true))
        apics.write(v, LAPIC_TPR, 0x20)
        apics.machine.fake.pointee.now = 1000
        apics.write(v, LAPIC_TIMER_DIVIDE, 0xb)
        apics.write(v, LAPIC_TIMER_INITIAL, 500)
        apics.machine.fake.pointee.now = 1200
        var state = kvm_lapic_state()
        lkx_lapic_get(v, &state)
        lkx_lapic_reset(v, false)
        #expect(apics.requested(v).isEmpty && apics.machine.fake.pointee.timer_at == 0)
        apics.machine.fake.pointee.now = 5000
        #expect(lkx_lapic_set(v, &state) == 0)
        #expect(apics.requested(v) == [0x77] && apics.vectors(v, LAPIC_ISR) == [0x99] && apics.vectors(v, LAPIC_TMR) == [0x77])
        #expect(apics.read(v, LAPIC_TPR) == 0x20 && v.pointee.cr8 == 2 && apics.read(v, LAPIC_SVR) == 0x1ff)
        #expect(apics.first.pointee.lapic.pointee.timer_at == 5300)
    }

    @Test func extINTGoesByLINT0() {
        let v = apics.first
        #expect(lkx_lapic_extint(v, 0x20) == 0 && lkx_lapic_extint(v, 0x21) == -EEXIST)
        apics.write(v, LAPIC_LVT_LINT0, 0x10700)
        #expect(!lkx_lapic_offer(v, true))
        apics.write(v, LAPIC_LVT_LINT0, 0x700)
        #expect(lkx_lapic_offer(v, true) && v.pointee.events.interrupt_vector == 0x20)
        #expect(apics.vectors(v, LAPIC_ISR).isEmpty)
    }

    /// SDM vol. 3, 11.12.5: not from off, and back to xAPIC only by way of it.
    @Test func modes() {
        let v = apics.first
        func set(_ value: UInt64) -> Bool { !lkx_msr_set(v, 0x1b, value, true) }
        #expect(!set(0xfee0_0500) && set(0xfee0_0d00) && apics.read(v, LAPIC_LDR, x2apic: true) == 1)
        #expect(!set(0xfee0_0900) && set(0xfee0_0100) && !set(0xfee0_0d00) && set(0xfee0_0900))
        v.pointee.cpuid_count = 0
        v.pointee.cpuid_last.entry = nil
        #expect(!set(0xfee0_0d00))
    }

    @Test func x2APICsRegisters() throws {
        let apics = try TwoAPICs(x2apic: true)
        let v = apics.other
        #expect(apics.read(v, LAPIC_ID, x2apic: true) == 1 && apics.read(v, LAPIC_LDR, x2apic: true) == 2)
        var bytes: [UInt8] = [0, 0, 0, 0]
        #expect(!lkx_lapic_mmio(v, 0xfee0_0020, &bytes, 4, false))
        #expect(!apics.write(v, LAPIC_DFR, 0, x2apic: true) && apics.read(v, LAPIC_DFR, x2apic: true) == nil)
        #expect(!apics.write(v, LAPIC_EOI, 1, x2apic: true) && apics.write(v, LAPIC_EOI, 0, x2apic: true))
        #expect(!apics.write(v, LAPIC_TPR, 0x100, x2apic: true) && !apics.write(v, LAPIC_SVR, 1 << 32, x2apic: true))
        #expect(apics.write(v, LAPIC_SELF_IPI, 0x61, x2apic: true) && apics.requested(v) == [0x61])
        #expect(apics.write(v, LAPIC_ICR, 1 << 32 | 0x4062, x2apic: true))
        #expect(apics.requested(v) == [0x61, 0x62] && apics.read(v, LAPIC_ICR, x2apic: true) == 1 << 32 | 0x4062)
        var state = kvm_lapic_state()
        lkx_lapic_get(v, &state)
        #expect(lkx_lapic_set(v, &state) == 0)
        apics.machine.vm.pointee.x2apic_api = UInt32(KVM_X2APIC_API_USE_32BIT_IDS)
        #expect(lkx_lapic_set(v, &state) == -EINVAL)
    }
}
