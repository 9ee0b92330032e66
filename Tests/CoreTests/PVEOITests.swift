// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// The end of an interrupt without an exit: KVM_FEATURE_PV_EOI. Documentation/virt/kvm/x86/msr.rst.
@Suite struct PVEOITests {
    static let index: UInt32 = 0x4b56_4d04
    let apics: TwoAPICs
    let flag: UInt64 = 0x3004
    var v: UnsafeMutablePointer<lkx_vcpu> { apics.first }

    init() throws {
        apics = try TwoAPICs()
        apics.machine.addSlot(0, bytes: 0x10000)
    }

    private func set(_ value: UInt64) -> Bool { !lkx_msr_set(v, Self.index, value, true) }
    private var bit: UInt64 {
        get { apics.machine.read(flag, bytes: 1) }
        nonmutating set { apics.machine.write(flag, newValue, bytes: 1) }
    }
    private var inService: [UInt8] {
        let isr = v.pointee.lapic.pointee.isr
        let words: [UInt64] = [isr.0, isr.1, isr.2, isr.3]
        return (0..<256).filter { (vector: Int) in words[vector / 64] & (1 << UInt64(vector % 64)) != 0 }.map { UInt8($0) }
    }

    /// The interrupt comes and is taken.
    private func take(_ vector: UInt8, level: Bool = false) {
        #expect(lkx_lapic_interrupt(v, vector, level))
        #expect(apics.look() == 1)
        #expect(lkx_lapic_offer(v, true))
        v.pointee.events = lkx_events()
    }

    @Test func whatTheMSRTakes() {
        var value: UInt64 = 7
        for wrong in [flag | 2, flag | 3, 0x10001] as [UInt64] { #expect(!set(wrong)) }
        #expect(!lkx_msr_get(v, Self.index, &value, true) && value == 0)
        for right in [flag | 1, flag, 0x10000] as [UInt64] {
            #expect(set(right) && !lkx_msr_get(v, Self.index, &value, true) && value == right)
        }
        take(0x40)
        #expect(bit == 0, "not enabled")
    }

    @Test func theGuestEndsItByItsBit() {
        bit = 0xf0
        #expect(set(flag | 1))
        take(0x40)
        #expect(bit == 1 && inService == [0x40])
        // Nothing looks: it goes on being the guest's.
        #expect(!lkx_lapic_offer(v, false) && bit == 1)
        bit = 0
        take(0x41)
        #expect(bit == 1 && inService == [0x41])
        bit = 0
        #expect(apics.look() == 1 && inService.isEmpty)
    }

    @Test func aBitThatIsStillThereIsTakenBack() {
        #expect(set(flag | 1))
        take(0x40)
        #expect(lkx_lapic_interrupt(v, 0x41, false))
        #expect(apics.look() == 1)
        #expect(bit == 0 && inService == [0x40] && !lkx_lapic_offer(v, true), "of its own class")
        apics.write(v, LAPIC_EOI, 0)
        #expect(inService.isEmpty && lkx_lapic_offer(v, true))
        #expect(bit == 1 && inService == [0x41])
        // It writes to EOI all the same: once is once.
        apics.write(v, LAPIC_EOI, 0)
        #expect(bit == 0 && inService.isEmpty)
        apics.write(v, LAPIC_EOI, 0)
        #expect(inService.isEmpty)
    }

    @Test func notWhileAnotherWaits() {
        #expect(set(flag | 1))
        #expect(lkx_lapic_interrupt(v, 0x31, false))
        take(0x52)
        #expect(bit == 0)
        apics.write(v, LAPIC_EOI, 0)
        #expect(lkx_lapic_offer(v, true) && bit == 1)
    }

    @Test func aHigherOneInItsHandler() {
        #expect(set(flag | 1))
        take(0x40)
        take(0x95)
        #expect(bit == 1 && inService == [0x40, 0x95])
        bit = 0
        #expect(apics.look() == 1)
        #expect(inService == [0x40] && bit == 0)
    }

    @Test func notWhereUserSpaceAwaitsTheEnd() {
        var routes: UnsafeMutablePointer<lkx_routes>?
        var entry = kvm_irq_routing_entry()
        entry.gsi = 1
        entry.type = UInt32(KVM_IRQ_ROUTING_MSI)
        entry.u.msi.address_lo = 0xfee0_0000
        entry.u.msi.data = 0x8040
        #expect(lkx_routing_make(apics.machine.vm, [entry], 1, &routes) == 0)
        lkx_routing_replace(apics.machine.vm, routes)
        #expect(set(flag | 1))
        take(0x40, level: true)
        #expect(bit == 0)
        apics.write(v, LAPIC_EOI, 0)
        #expect(v.pointee.lapic.pointee.eoi_owed)
        v.pointee.lapic.pointee.eoi_owed = false
        take(0x42)
        #expect(bit == 1)
        lkx_routing_destroy(apics.machine.vm)
    }

    @Test func whoReadsSeesWhatTheGuestDid() {
        #expect(set(flag | 1))
        take(0x40)
        bit = 0
        #expect(apics.read(v, LAPIC_PPR) == 0 && inService.isEmpty)
        take(0x41)
        bit = 0
        #expect(set(0), "and whoever takes the bit's place away")
        #expect(inService.isEmpty)
        take(0x42)
        #expect(bit == 0)
    }

    @Test func memoryThatGoes() {
        #expect(set(flag | 1))
        take(0x40)
        v.pointee.pv.eoi = 0x5_0001
        #expect(apics.look() == 1 && inService == [0x40], "its end is not known")
        apics.write(v, LAPIC_EOI, 0)
        take(0x41)
        #expect(!v.pointee.lapic.pointee.eoi_offered)
        apics.write(v, LAPIC_EOI, 0)
        #expect(inService.isEmpty)
        apics.machine.addSlot(0x20000, bytes: 0x1000, readOnly: true)
        #expect(set(0x2_0001))
        take(0x42)
        #expect(!v.pointee.lapic.pointee.eoi_offered && inService == [0x42])
    }

    @Test func initTakesIt() {
        #expect(set(flag | 1))
        take(0x40)
        lkx_vcpu_init_reset(v)
        lkx_lapic_reset(v, true)
        #expect(inService.isEmpty && !v.pointee.lapic.pointee.eoi_offered)
        apics.write(v, LAPIC_SVR, 0x1ff)
        bit = 0
        take(0x41)
        #expect(bit == 0 && inService == [0x41])
    }
}
