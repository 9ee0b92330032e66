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

    deinit {
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
