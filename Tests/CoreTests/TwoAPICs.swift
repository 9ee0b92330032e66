// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// Two vCPUs with local APICs, enabled: the first one is a fake machine's, the second has nothing but its APIC.
final class TwoAPICs {
    let machine: FakeMachine
    let other: UnsafeMutablePointer<lkx_vcpu>
    var first: UnsafeMutablePointer<lkx_vcpu> { machine.vcpu }

    init(x2apic: Bool = false, on model: ProcessorModel = .skylake) throws {
        machine = try FakeMachine(reset: model)
        machine.vm.pointee.has_vcpus = false
        #expect(lkx_lapics_enable(machine.vm, 24) == 0)
        #expect(lkx_lapic_create(machine.vcpu) == 0)
        other = .allocate(capacity: 1)
        other.initialize(to: lkx_vcpu())
        other.pointee.hw = machine.vcpu.pointee.hw
        other.pointee.vm = machine.vm
        other.pointee.id = 1
        other.pointee.apic_base = 0xfee0_0800
        #expect(lkx_lapic_create(other) == 0)
        for v in [first, other] {
            lkx_vm_add_vcpu(machine.vm, v)
            if x2apic {
                let old = v.pointee.apic_base
                v.pointee.apic_base |= 0x400
                lkx_lapic_base_changed(v, old)
            }
            #expect(!lkx_lapic_write(v, UInt32(LAPIC_SVR.rawValue), 0x1ff, x2apic))
        }
    }

    /// A lap of the first one: what is injected, 0 for nothing.
    @discardableResult
    func lap() -> UInt64 {
        machine[VMCS_ENTRY_INTERRUPTION_INFO] = 0
        #expect(lkx_events_inject(first) == 1)
        let info = machine[VMCS_ENTRY_INTERRUPTION_INFO]
        machine.fake.pointee.vcpu.exit.idt_vectoring_info = 0
        lkx_events_after_exit(first)
        return info & 0xff
    }

    /// A register in the first one's virtual-APIC page.
    func page(_ register: lkx_lapic_register, _ bank: Int = 0) -> UInt32 { first.pointee.lapic.pointee.page[(Int(register.rawValue) + bank) * 4] }

    /// The processor changes a vector's bit there.
    func change(_ register: lkx_lapic_register, _ vector: Int, _ value: Bool) {
        let bit = UInt32(1) << UInt32(vector % 32)
        let word = first.pointee.lapic.pointee.page + (Int(register.rawValue) + vector / 32) * 4
        word.pointee = value ? word.pointee | bit : word.pointee & ~bit
    }

    deinit {
        lkx_lapic_destroy(other)
        other.deallocate()
        machine.vm.pointee.vcpus = 0
    }

    func read(_ v: UnsafeMutablePointer<lkx_vcpu>, _ register: lkx_lapic_register, _ bank: UInt32 = 0, x2apic: Bool = false) -> UInt64? {
        var value: UInt64 = 0
        return lkx_lapic_read(v, UInt32(register.rawValue) + bank, &value, x2apic) ? nil : value
    }

    /// False where there is no such register to write, or not so.
    @discardableResult
    func write(_ v: UnsafeMutablePointer<lkx_vcpu>, _ register: lkx_lapic_register, _ value: UInt64, x2apic: Bool = false) -> Bool {
        !lkx_lapic_write(v, UInt32(register.rawValue), value, x2apic)
    }

    /// The interrupts that wait in a vCPU's IRR.
    func requested(_ v: UnsafeMutablePointer<lkx_vcpu>) -> [UInt8] { vectors(v, LAPIC_IRR) }

    func vectors(_ v: UnsafeMutablePointer<lkx_vcpu>, _ register: lkx_lapic_register) -> [UInt8] {
        (0..<256).filter { (read(v, register, UInt32($0 / 32)) ?? 0) >> UInt64($0 % 32) & 1 != 0 }.map { UInt8($0) }
    }

    /// The first vCPU's thread sees to what came: lkx_lapic_look.
    func look() -> Int32 { lkx_lapic_look(first) }
}
