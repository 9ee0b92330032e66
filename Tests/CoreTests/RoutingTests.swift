// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// KVM_SET_GSI_ROUTING: which message a number stands for, and whose end user space is told of.
@Suite struct RoutingTests {
    static let level: UInt32 = 0x8000
    let apics: TwoAPICs
    var vm: UnsafeMutablePointer<lkx_vm> { apics.machine.vm }

    init() throws { apics = try TwoAPICs() }

    private func route(_ gsi: UInt32, _ data: UInt32, to apic: UInt32 = 0, high: UInt32 = 0) -> kvm_irq_routing_entry {
        var entry = kvm_irq_routing_entry()
        entry.gsi = gsi
        entry.type = UInt32(KVM_IRQ_ROUTING_MSI)
        entry.u.msi.address_lo = 0xfee0_0000 | apic << 12
        entry.u.msi.address_hi = high
        entry.u.msi.data = data
        return entry
    }

    private func set(_ entries: [kvm_irq_routing_entry]) -> Int32 {
        var routes: UnsafeMutablePointer<lkx_routes>?
        let r = lkx_routing_make(vm, entries, UInt32(entries.count), &routes)
        if r == 0 { lkx_routing_replace(vm, routes) }
        return r
    }

    private func end() { lkx_routing_destroy(vm) }

    @Test func whatIsNoTable() {
        #expect(set([route(4096, 0x40)]) == -EINVAL)
        #expect(set([route(1, 0x40), route(UInt32.max, 0x40)]) == -EINVAL)
        #expect(set([route(1, 0x40), route(2, 0x40), route(1, 0x41)]) == -EINVAL)
        var entry = route(1, 0x40)
        entry.flags = 2
        #expect(set([entry]) == -EINVAL)
        entry.flags = 1  // KVM_MSI_VALID_DEVID
        entry.type = 1  // KVM_IRQ_ROUTING_IRQCHIP
        #expect(set([entry]) == -EINVAL)
        let isNothing = vm.pointee.routes == nil
        #expect(isNothing)
        entry.type = UInt32(KVM_IRQ_ROUTING_MSI)
        #expect(set([entry]) == 0)
        #expect(set([route(1, 0x40, high: 1)]) == 0, "with 8-bit IDs nobody looks there")
        vm.pointee.x2apic_api = 1
        #expect(set([route(1, 0x40, high: 1)]) == -EINVAL)
        #expect(set([route(1, 0x40, high: 0x100)]) == 0)
        end()
    }

    @Test func interruptsGoByTheirRoutes() {
        #expect(lkx_routing_deliver(vm, 0) == -1, "before there are any")
        #expect(set([route(4095, 0x51), route(0, 0x52, to: 1), route(3, 0x53, to: 5)]) == 0)
        #expect(lkx_routing_deliver(vm, 4095) == 1)
        #expect(apics.requested(apics.first) == [0x51])
        #expect(lkx_routing_deliver(vm, 0) == 1)
        #expect(apics.requested(apics.other) == [0x52])
        // To nobody; of no route; past the last one.
        #expect(lkx_routing_deliver(vm, 3) == 0, "to nobody")
        for gsi in [1, 4096, UInt32.max] as [UInt32] { #expect(lkx_routing_deliver(vm, gsi) == -1) }
        #expect(set([]) == 0)
        #expect(lkx_routing_deliver(vm, 0) == -1)
        #expect(apics.requested(apics.first) + apics.requested(apics.other) == [0x51, 0x52])
        end()
    }

    /// The interrupt comes and is over: is user space owed word of it?
    private func endIsTold(_ v: UnsafeMutablePointer<lkx_vcpu>, _ vector: UInt8, level: Bool) -> Bool {
        #expect(lkx_lapic_interrupt(v, vector, level))
        #expect(lkx_lapic_offer(v, true))
        v.pointee.events = lkx_events()
        apics.write(v, LAPIC_EOI, 0)
        let told = v.pointee.lapic.pointee.eoi_owed && v.pointee.lapic.pointee.eoi_vector == vector
        v.pointee.lapic.pointee.eoi_owed = false
        return told
    }

    @Test func endsOfPinsLevelsAreTold() {
        #expect(!endIsTold(apics.first, 0x60, level: true), "no routes")
        #expect(
            set([
                route(23, 0x60 | Self.level), route(24, 0x61 | Self.level), route(2, 0x62), route(3, 0x63 | Self.level, to: 1),
                route(4, 0xff | Self.level), route(5, 0x1_0064 | Self.level),
            ]) == 0)
        #expect(endIsTold(apics.first, 0x60, level: true))
        #expect(endIsTold(apics.first, 0x60, level: false), "stock KVM goes by the route")
        #expect(!endIsTold(apics.first, 0x61, level: true), "not a pin")
        #expect(!endIsTold(apics.first, 0x62, level: true), "an edge's route")
        #expect(!endIsTold(apics.first, 0x63, level: false), "another's")
        #expect(endIsTold(apics.first, 0x63, level: true), "sent before its route went to another")
        #expect(lkx_routing_wants_eoi(apics.other, 0x63, false))
        #expect(!lkx_routing_wants_eoi(apics.other, 0x60, false))
        #expect(endIsTold(apics.first, 0xff, level: true))
        #expect(endIsTold(apics.first, 0x64, level: true))
        #expect(!endIsTold(apics.first, 0x20, level: true))
        end()
    }

    @Test func userSpaceIsToldOfTheEndBeforeTheNextEntry() {
        #expect(set([route(5, 0x60 | Self.level)]) == 0)
        #expect(lkx_routing_deliver(vm, 5) == 1)
        #expect(apics.look() == 1)
        #expect(lkx_lapic_offer(apics.first, true))
        apics.write(apics.first, LAPIC_EOI, 0)
        #expect(apics.look() == 0)
        #expect(apics.first.pointee.run.pointee.exit_reason == UInt32(KVM_EXIT_IOAPIC_EOI))
        #expect(apics.first.pointee.run.pointee.eoi.vector == 0x60)
        #expect(apics.look() == 1, "once")
        end()
    }
}
