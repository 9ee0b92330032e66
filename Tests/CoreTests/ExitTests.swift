// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// The exits that are a line or two, and what happens to those nobody expects.
@Suite struct ExitTests {
    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine[VMCS_GUEST_RIP] = 0x100
    }

    private func exit(_ reason: lkx_exit_reason, qualification: UInt64 = 0, length: UInt32 = 3) -> Int32 {
        machine.exit(reason, qualification: qualification, length: length)
    }

    private var reason: UInt32 { fake_run(machine.fake).pointee.exit_reason }

    /// Exits of what is never enabled, and numbers that no processor has yet, are told user space, never passed over.
    @Test func noReasonIsSilent() throws {
        for number in [3, 4, 5, 6, 33, 34, 35, 37, 38, 41, 42, 43, 44, 45, 46, 47, 49, 56] as [UInt32] {
            fake_run(machine.fake).pointee.exit_reason = 0
            #expect(exit(lkx_exit_reason(rawValue: number)) == 0, "\(number)")
            #expect(reason == UInt32(KVM_EXIT_INTERNAL_ERROR), "\(number)")
            #expect(
                fake_run_failure(machine.fake).suberror == UInt32(KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON),
                "\(number)")
        }
        for number in [76, 77, 0xffff, 1 << 27 | 10] as [UInt32] {
            fake_run(machine.fake).pointee.exit_reason = 0
            #expect(exit(lkx_exit_reason(rawValue: number)) == 0)
            #expect(reason == UInt32(KVM_EXIT_INTERNAL_ERROR), "\(number)")
        }
    }

    @Test func aFailedEntrySaysWhatTheHardwareSaid() {
        machine.fake.pointee.vcpu.exit.reason = 1 << 31 | 33
        #expect(lkx_exit_dispatch(machine.vcpu) == 0)
        #expect(reason == UInt32(KVM_EXIT_FAIL_ENTRY))
        #expect(fake_run(machine.fake).pointee.fail_entry.hardware_entry_failure_reason == 0x8000_0021)
    }

    @Test func haltAndShutdown() {
        #expect(exit(EXIT_HLT, length: 1) == 0)
        #expect(reason == UInt32(KVM_EXIT_HLT) && machine[VMCS_GUEST_RIP] == 0x101)
        #expect(exit(EXIT_TRIPLE_FAULT) == 0)
        #expect(reason == UInt32(KVM_EXIT_SHUTDOWN) && machine[VMCS_GUEST_RIP] == 0x101)
    }

    @Test(arguments: [EXIT_PAUSE, EXIT_MONITOR, EXIT_MWAIT, EXIT_WBINVD, EXIT_INVD, EXIT_INVLPG])
    func whatIsSteppedOver(reason: lkx_exit_reason) {
        #expect(exit(reason) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x103 && machine.raised == nil)
    }

    @Test func whatIsUndefinedForAGuest() {
        for reason in [EXIT_VMXON, EXIT_VMLAUNCH, EXIT_INVEPT, EXIT_GETSEC, EXIT_XSAVES, EXIT_ENCLS] {
            machine.fake.pointee.vcpu.events = lkx_events()
            #expect(exit(reason) == 1)
            #expect(machine.raised?.vector == UInt8(VECTOR_UD) && machine[VMCS_GUEST_RIP] == 0x100)
        }
        machine.fake.pointee.vcpu.events = lkx_events()
        #expect(exit(EXIT_RDPMC) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP))
    }

    @Test func hypercallsNobodyKnows() {
        machine[RAX] = 1
        #expect(exit(EXIT_VMCALL) == 1)
        #expect(machine[RAX] == 0xffff_fc18 && machine[VMCS_GUEST_RIP] == 0x103)  // -KVM_ENOSYS in 32 bits
        fake_set_mode(machine.fake, FAKE_LONG_64)
        #expect(exit(EXIT_VMCALL) == 1)
        #expect(Int64(bitPattern: machine[RAX]) == -1000)
        fake_set_cpl(machine.fake, 3)
        #expect(exit(EXIT_VMCALL) == 1)
        #expect(Int64(bitPattern: machine[RAX]) == -1)
    }

    @Test func xsetbv() {
        machine[RAX] = 7
        machine[RDX] = 0
        #expect(exit(EXIT_XSETBV) == 1)
        #expect(machine.fake.pointee.vcpu.xcr0 == 7 && machine[VMCS_GUEST_RIP] == 0x103)
        for (index, value, cpl) in [(1, 7, 0), (0, 4, 0), (0, 1 << 32 | 7, 0), (0, 3, 3)] as [(UInt64, UInt64, UInt32)]
        {
            machine.fake.pointee.vcpu.events = lkx_events()
            machine[RCX] = index
            machine[RAX] = value & 0xffff_ffff
            machine[RDX] = value >> 32
            fake_set_cpl(machine.fake, cpl)
            #expect(exit(EXIT_XSETBV) == 1)
            #expect(machine.raised?.vector == UInt8(VECTOR_GP) && machine.fake.pointee.vcpu.xcr0 == 7)
        }
    }

    @Test func steppingOver() {
        // The shadow of STI and MOV SS is over, NMI blocking stays; a trace trap is due.
        machine[VMCS_GUEST_INTERRUPTIBILITY] = 8 | 2
        machine[VMCS_GUEST_RFLAGS] = 0x102
        #expect(exit(EXIT_PAUSE, length: 2) == 1)
        #expect(machine[VMCS_GUEST_INTERRUPTIBILITY] == 8)
        #expect(machine.raised?.vector == UInt8(VECTOR_DB))
        #expect(machine.fake.pointee.vcpu.dr6 == 0xffff_4ff0)
        // IP wraps at 4 GiB, but not in 64-bit mode.
        machine[VMCS_GUEST_RIP] = 0xffff_ffff
        #expect(exit(EXIT_PAUSE, length: 2) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 1)
        fake_set_mode(machine.fake, FAKE_LONG_64)
        machine[VMCS_GUEST_RIP] = 0xffff_ffff
        #expect(exit(EXIT_PAUSE, length: 2) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x1_0000_0001)
    }

    // --- IN and OUT ---

    @Test(arguments: [1, 2, 4] as [UInt64]) func ports(size: UInt64) {
        machine[RAX] = 0x1122_3344_5566_7788
        #expect(exit(EXIT_IO_INSTRUCTION, qualification: size - 1 | 0x3f8 << 16) == 0)
        let io = fake_run_io(machine.fake)
        #expect(reason == UInt32(KVM_EXIT_IO) && io.port == 0x3f8 && UInt64(io.size) == size && io.count == 1)
        #expect(Int32(io.direction) == KVM_EXIT_IO_OUT && io.data_offset == 4096)
        #expect(machine.fake.pointee.vcpu.pio_data[0] == 0x88)
        #expect(machine.fake.pointee.vcpu.pio_data[Int(size) - 1] == [0x88, 0x77, 0, 0x55][Int(size) - 1])
        #expect(exit(EXIT_IO_INSTRUCTION, qualification: size - 1 | 8 | 0x3f8 << 16) == 0)
        #expect(Int32(fake_run_io(machine.fake).direction) == KVM_EXIT_IO_IN)
        #expect(machine.fake.pointee.vcpu.completion == LKX_COMPLETE_IN)
    }

    // --- debug registers ---

    private func debug(_ register: UInt64, read: Bool, _ gpr: UInt64 = 3) -> Int32 {
        machine[VMCS_GUEST_RIP] = 0x100
        return exit(EXIT_DR_ACCESS, qualification: register | (read ? 16 : 0) | gpr << 8)
    }

    @Test func debugRegisters() {
        machine[RBX] = 0xffff_ffff_1234_5678
        for register in 0..<4 as Range<UInt64> { #expect(debug(register, read: false) == 1) }
        #expect(machine.fake.pointee.vcpu.dr == (0x1234_5678, 0x1234_5678, 0x1234_5678, 0x1234_5678))
        machine[RBX] = 0
        #expect(debug(4, read: false) == 1)  // DR6 by its old name
        #expect(debug(6, read: true, 2) == 1)
        #expect(machine[RDX] == 0xffff_0ff0)
        machine[RBX] = 0xffff_ffff
        #expect(debug(6, read: false) == 1 && debug(6, read: true, 2) == 1)
        #expect(machine[RDX] == 0xffff_efff)
        machine[RBX] = 1
        #expect(debug(7, read: false) == 1 && debug(5, read: true, 2) == 1)
        #expect(machine[RDX] == 0x401 && machine[VMCS_GUEST_DR7] == 0x401)
        #expect(machine.raised == nil && machine[VMCS_GUEST_RIP] == 0x103)
    }

    @Test func debugRegistersThatFault() {
        lkx_cr4_load(machine.vcpu, 8)  // DE
        #expect(debug(4, read: true) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_UD) && machine[VMCS_GUEST_RIP] == 0x100)
        machine.fake.pointee.vcpu.events = lkx_events()
        machine[VMCS_GUEST_DR7] = 0x2400  // GD
        #expect(debug(0, read: true) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_DB))
        #expect(machine.fake.pointee.vcpu.dr6 & 1 << 13 != 0 && machine[VMCS_GUEST_DR7] == 0x400)
        machine.fake.pointee.vcpu.events = lkx_events()
        fake_set_mode(machine.fake, FAKE_LONG_64)
        machine[RBX] = 1 << 32
        #expect(debug(7, read: false) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP))
        machine.fake.pointee.vcpu.events = lkx_events()
        fake_set_cpl(machine.fake, 3)
        #expect(debug(0, read: true) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP))
    }
}
