// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// A fake processor with one vCPU, and guest memory in slots.
final class FakeMachine {
    let fake: UnsafeMutablePointer<fake>

    init(mode: fake_mode = FAKE_REAL) {
        fake = fake_create()
        fake_set_mode(fake, mode)
    }

    /// A vCPU as KVM_CREATE_VCPU leaves it, on a processor of that model.
    init(reset model: ProcessorModel) throws {
        fake = fake_create()
        for (index, value) in model.msrs { fake_set_msr(fake, index, value) }
        addProcessorLeaves()
        var missing: UnsafePointer<CChar>?
        #expect(lkx_vmx_caps_read(fake.pointer(to: \.hw)!, fake.pointer(to: \.caps)!, &missing) == 0)
        fake.pointee.vm.tsc_khz = 2_000_000
        #expect(lkx_vcpu_init(vcpu) == 0)
    }

    /// CPUID of a processor of 2013: AVX2, four caches, 39 physical bits.
    private func addProcessorLeaves() {
        let leaves: [(UInt32, UInt32, [UInt32])] = [
            (0, 0, [0xd, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
            (1, 0, [0x0004_0651, 0x0510_0800, 0x7ffa_fbff, 0xbfeb_fbff]),
            (4, 0, [0x1c00_4121, 0x01c0_003f, 0x3f, 0]), (4, 1, [0x1c00_4122, 0x01c0_003f, 0x3f, 0]),
            (4, 2, [0x1c00_4143, 0x01c0_003f, 0x1ff, 0]),
            (7, 0, [0, 0x0000_27ab, 0, 0x9c00_0600]),
            (0xd, 0, [7, 0x340, 0x340, 0]), (0xd, 1, [1, 0, 0, 0]), (0xd, 2, [0x100, 0x240, 0, 0]),
            (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]), (0x8000_0001, 0, [0, 0, 0x21, 0x2c10_0800]),
            (0x8000_0007, 0, [0, 0, 0, 0x100]), (0x8000_0008, 0, [0x3027, 0, 0, 0]),
        ]
        for (leaf, sub, r) in leaves { fake_set_cpuid(fake, leaf, sub, r[0], r[1], r[2], r[3]) }
    }

    /// What the core makes of a VM exit: as `lkx_exit_dispatch` returns.
    func exit(_ reason: lkx_exit_reason, qualification: UInt64 = 0, length: UInt32 = 0, vectoring: UInt32 = 0) -> Int32 {
        fake.pointee.vcpu.exit = lkx_exit()
        fake.pointee.vcpu.exit.reason = reason.rawValue
        fake.pointee.vcpu.exit.qualification = qualification
        fake.pointee.vcpu.exit.instruction_length = length
        fake.pointee.vcpu.exit.idt_vectoring_info = vectoring
        return lkx_exit_dispatch(vcpu)
    }

    deinit {
        if fake.pointee.vcpu.cpuid != nil {
            lkx_vcpu_destroy(vcpu)
            lkx_ept_destroy(vm)
            let left = fake.pointee.hw.objects + fake.pointee.hw.pages
            if left != 0 { Issue.record("\(left) objects and pages of the core are left") }
        }
        // plat_warn_on means "must never hold".
        if fake.pointee.warnings != 0 { Issue.record("\(fake.pointee.warnings) warnings of the core") }
        fake_destroy(fake)
    }

    var vcpu: UnsafeMutablePointer<lkx_vcpu> { fake.pointer(to: \.vcpu)! }
    var vm: UnsafeMutablePointer<lkx_vm> { fake.pointer(to: \.vm)! }

    func addSlot(_ gpa: UInt64, bytes: UInt64, readOnly: Bool = false) {
        #expect(fake_add_slot(fake, gpa, bytes, readOnly ? UInt32(KVM_MEM_READONLY) : 0) != nil)
    }

    subscript(field: lkx_vmcs_field) -> UInt64 {
        get { fake_field(fake, UInt32(field.rawValue)) }
        set { fake_set_field(fake, UInt32(field.rawValue), newValue) }
    }

    subscript(register: lkx_gpr) -> UInt64 {
        get { lkx_gpr(vcpu, UInt32(register.rawValue)) }
        set { lkx_set_gpr(vcpu, UInt32(register.rawValue), newValue) }
    }

    func read(_ gpa: UInt64, bytes: Int) -> UInt64 {
        let memory = fake_memory(fake, gpa, UInt64(bytes))!
        return (0..<bytes).reduce(0) { $0 | UInt64(memory[$1]) << (8 * UInt64($1)) }
    }

    func write(_ gpa: UInt64, _ value: UInt64, bytes: Int) {
        let memory = fake_memory(fake, gpa, UInt64(bytes))!
        for index in 0..<bytes { memory[index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
    }

    func write(_ gpa: UInt64, _ bytes: [UInt8]) {
        for (index, byte) in bytes.enumerated() { write(gpa + UInt64(index), UInt64(byte), bytes: 1) }
    }

    /// The exception that the core raised in the guest.
    var raised: (vector: UInt8, error: UInt32)? {
        let events = fake.pointee.vcpu.events
        return events.exception_pending ? (events.exception_vector, events.exception_error) : nil
    }
}
