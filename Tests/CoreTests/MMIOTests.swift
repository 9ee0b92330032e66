// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// EPT violations that become KVM_EXIT_MMIO.
@Suite struct MMIOTests {
    static let read: UInt64 = 1, write: UInt64 = 2, fetch: UInt64 = 4, linearValid: UInt64 = 0x80,
        ofTheAccess: UInt64 = 0x100
    static let device: UInt64 = 0xd000_0000

    /// A flat 32-bit guest with code at 0x1000 and RAM below 0x10000; 0xd0000000 is a device's.
    private func machine(_ code: [UInt8], at rip: UInt64 = 0x1000) -> FakeMachine {
        let machine = FakeMachine(mode: FAKE_PROTECTED_32)
        machine.addSlot(0, bytes: 0x10000)
        machine.write(rip, code)
        machine[VMCS_GUEST_RIP] = rip
        return machine
    }

    private func violation(_ machine: FakeMachine, gpa: UInt64, gla: UInt64? = nil, _ access: UInt64) -> Int32 {
        machine[VMCS_GUEST_LINEAR_ADDRESS] = gla ?? gpa
        machine.fake.pointee.vcpu.exit.gpa = gpa
        return lkx_mmio_exit(machine.vcpu, gpa, access | Self.linearValid | Self.ofTheAccess)
    }

    private func complete(_ machine: FakeMachine) -> Int32 {
        #expect(machine.fake.pointee.vcpu.completion == LKX_COMPLETE_MMIO)
        return lkx_mmio_complete(machine.vcpu)
    }

    @Test func aStoreIsOverBeforeUserSpaceSeesIt() {
        let machine = machine([0x89, 0x08])  // mov %ecx, (%eax)
        machine[RAX] = Self.device
        machine[RCX] = 0xffff_ffff_1122_3344
        #expect(violation(machine, gpa: Self.device, Self.write) == 0)
        #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_MMIO))
        let mmio = fake_run_mmio(machine.fake)
        #expect(mmio.phys_addr == Self.device && mmio.len == 4 && mmio.is_write && mmio.data == 0x1122_3344)
        #expect(machine[VMCS_GUEST_RIP] == 0x1002)
        #expect(complete(machine) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x1002)
    }

    @Test func aLoadChangesNothingBeforeItsValueIsThere() {
        let machine = machine([0x8b, 0x08])
        machine[RAX] = Self.device
        machine[RCX] = 0xffff_ffff_ffff_ffff
        #expect(violation(machine, gpa: Self.device, Self.read) == 0)
        let mmio = fake_run_mmio(machine.fake)
        #expect(mmio.phys_addr == Self.device && mmio.len == 4 && !mmio.is_write)
        #expect(machine[VMCS_GUEST_RIP] == 0x1000 && machine[RCX] == 0xffff_ffff_ffff_ffff)
        fake_answer_mmio(machine.fake, 0xdead_beef_8765_4321)
        #expect(complete(machine) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x1002 && machine[RCX] == 0x8765_4321)
    }

    /// Loads into every kind of register: instruction, bytes loaded, and RCX after 0x...8f9e answered to RCX = 0x1111...
    @Test(
        arguments: [
            ([0x8a, 0x08], 1, 0x1111_1111_1111_119e),  // mov (%rax), %cl
            ([0x8a, 0x28], 1, 0x1111_1111_1111_9e11),  // mov (%rax), %ch
            ([0x66, 0x8b, 0x08], 2, 0x1111_1111_1111_8f9e),
            ([0x8b, 0x08], 4, 0x0000_0000_a0b0_8f9e),
            ([0x48, 0x8b, 0x08], 8, 0xc0d0_e0f0_a0b0_8f9e),
            ([0x66, 0x0f, 0xb6, 0x08], 1, 0x1111_1111_1111_009e),  // movzb to 2, 4, 8
            ([0x0f, 0xb6, 0x08], 1, 0x9e),
            ([0x48, 0x0f, 0xb7, 0x08], 2, 0x8f9e),
            ([0x66, 0x0f, 0xbe, 0x08], 1, 0x1111_1111_1111_ff9e),  // movsb to 2, 4, 8
            ([0x0f, 0xbe, 0x08], 1, 0xffff_ff9e),
            ([0x48, 0x0f, 0xbe, 0x08], 1, 0xffff_ffff_ffff_ff9e),
            ([0x0f, 0xbf, 0x08], 2, 0xffff_8f9e),
            ([0x48, 0x63, 0x08], 4, 0xffff_ffff_a0b0_8f9e),
            ([0x63, 0x08], 4, 0xa0b0_8f9e),
        ] as [([UInt8], UInt32, UInt64)]) func loadsMergeOrExtend(code: [UInt8], bytes: UInt32, result: UInt64)
    {
        let (machine, _) = FakeMachine.fourLevel(0x1000)
        machine.write(0x5000, code)
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[RAX] = 0x40_0000_0000
        machine[RCX] = 0x1111_1111_1111_1111
        #expect(violation(machine, gpa: Self.device, gla: 0x40_0000_0000, Self.read) == 0)
        #expect(fake_run_mmio(machine.fake).len == bytes)
        fake_answer_mmio(machine.fake, 0xc0d0_e0f0_a0b0_8f9e)
        #expect(complete(machine) == 1)
        #expect(machine[RCX] == result)
        #expect(machine[VMCS_GUEST_RIP] == 0x1000 + UInt64(code.count))
    }

    @Test func aLoadIntoRSPGoesToTheVMCS() {
        let machine = machine([0x8b, 0x20])  // mov (%eax), %esp
        machine[RAX] = Self.device
        #expect(violation(machine, gpa: Self.device, Self.read) == 0)
        fake_answer_mmio(machine.fake, 0x1234)
        #expect(complete(machine) == 1)
        #expect(machine[VMCS_GUEST_RSP] == 0x1234)
    }

    @Test func userSpaceMayPutTheCPUElsewhereInsteadOfAnswering() {
        let machine = machine([0x8b, 0x08])
        machine[RAX] = Self.device
        machine[RCX] = 5
        #expect(violation(machine, gpa: Self.device, Self.read) == 0)
        machine[VMCS_GUEST_RIP] = 0x2000
        #expect(complete(machine) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x2000 && machine[RCX] == 5)
    }

    // --- across pages ---

    @Test func aStoreFromRAMIntoADeviceWritesTheRAMAtOnce() {
        // mov %ecx, (%eax) at 0xfffe: two bytes of RAM, two of nothing.
        let machine = machine([0x89, 0x08])
        machine[RAX] = 0xfffe
        machine[RCX] = 0x4433_2211
        #expect(violation(machine, gpa: 0x10000, gla: 0x10000, Self.write) == 0)
        let mmio = fake_run_mmio(machine.fake)
        #expect(mmio.phys_addr == 0x10000 && mmio.len == 2 && mmio.data == 0x4433)
        #expect(machine.read(0xfffe, bytes: 2) == 0x2211)
        #expect(complete(machine) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x1002)
    }

    @Test func theSecondPagesViolationMayNameAnyOfItsBytes() {
        let machine = machine([0x89, 0x08])
        machine[RAX] = 0xfffe
        #expect(violation(machine, gpa: 0x10001, gla: 0x10001, Self.write) == 0)
        #expect(fake_run_mmio(machine.fake).phys_addr == 0x10000 && fake_run_mmio(machine.fake).len == 2)
        // Two bytes further on is no part of the access.
        machine[VMCS_GUEST_RIP] = 0x1000
        #expect(violation(machine, gpa: 0x10002, gla: 0x10002, Self.write) == 1)
    }

    /// Found by test_misc/fuzz/mmio: the device saw the address of the byte that the violation named.
    @Test func theFirstPagesViolationMayNameAnyOfItsBytes() {
        let machine = machine([0x89, 0x08])
        machine[RAX] = Self.device
        #expect(violation(machine, gpa: Self.device + 3, gla: Self.device + 3, Self.write) == 0)
        #expect(fake_run_mmio(machine.fake).phys_addr == Self.device && fake_run_mmio(machine.fake).len == 4)
    }

    /// Found by test_misc/fuzz/mmio: linear addresses of compatibility mode end at 4 GiB too.
    @Test func anAccessOfCompatibilityModeGoesOnAtZero() {
        let (machine, _) = FakeMachine.fourLevel(0xffff_f000)
        fake_set_mode(machine.fake, FAKE_LONG_32)
        // Linear 0xfffff000 is a device, 0 is another one, 0x1000 is the code.
        machine.write(0x13ff8, 0xe000_0000 | Entry.all, bytes: 8)
        machine.write(0x11000, 0x14000 | Entry.all, bytes: 8)
        machine.write(0x14000, 0x15000 | Entry.all, bytes: 8)
        machine.write(0x15000, 0xd000_0000 | Entry.all, bytes: 8)
        machine.write(0x15008, 0x5000 | Entry.all, bytes: 8)
        machine.write(0x5000, [0x89, 0x08])
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[RAX] = 0xffff_fffe
        machine[RCX] = 0x4433_2211
        #expect(violation(machine, gpa: 0xe000_0ffe, gla: 0xffff_fffe, Self.write) == 0)
        #expect(fake_run_mmio(machine.fake).phys_addr == 0xe000_0ffe && fake_run_mmio(machine.fake).len == 2)
        #expect(complete(machine) == 0)
        #expect(fake_run_mmio(machine.fake).phys_addr == 0xd000_0000 && fake_run_mmio(machine.fake).data == 0x4433)
        #expect(complete(machine) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x1002)
    }

    @Test func aLoadFromADeviceIntoRAMTakesBothParts() {
        let machine = machine([0x8b, 0x08])
        machine.addSlot(0x20000, bytes: 0x1000)
        machine.write(0x20000, 0xbbaa, bytes: 2)
        machine[RAX] = 0x1fffe
        #expect(violation(machine, gpa: 0x1fffe, Self.read) == 0)
        let mmio = fake_run_mmio(machine.fake)
        #expect(mmio.phys_addr == 0x1fffe && mmio.len == 2)
        fake_answer_mmio(machine.fake, 0x9988)
        #expect(complete(machine) == 1)
        #expect(machine[RCX] == 0xbbaa_9988)
    }

    @Test func anAccessToTwoPagesOfDevicesIsTwoExits() {
        let (machine, _) = FakeMachine.fourLevel(0x1000)
        machine.write(0x5000, [0x48, 0x8b, 0x08])
        // The neighbours 0x2000 and 0x3000 are two frames far apart.
        machine.write(0x13010, 0xe000_0000 | Entry.all, bytes: 8)
        machine.write(0x13018, 0xd000_0000 | Entry.all, bytes: 8)
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[RAX] = 0x2ffd
        #expect(violation(machine, gpa: 0xe000_0ffd, gla: 0x2ffd, Self.read) == 0)
        var mmio = fake_run_mmio(machine.fake)
        #expect(mmio.phys_addr == 0xe000_0ffd && mmio.len == 3)
        fake_answer_mmio(machine.fake, 0xffff_ffff_ff33_2211)
        #expect(complete(machine) == 0)
        mmio = fake_run_mmio(machine.fake)
        #expect(mmio.phys_addr == 0xd000_0000 && mmio.len == 5)
        fake_answer_mmio(machine.fake, 0x88_7766_5544)
        #expect(complete(machine) == 1)
        #expect(machine[RCX] == 0x8877_6655_4433_2211)
        #expect(machine[VMCS_GUEST_RIP] == 0x1003)
    }

    @Test func theSecondPagesPageFaultComesBeforeAnyAccess() {
        let (machine, _) = FakeMachine.fourLevel(0x1000)
        machine.write(0x5000, [0x48, 0x89, 0x08])
        machine.write(0x13010, 0xe000_0000 | Entry.all, bytes: 8)
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[RAX] = 0x2ffd
        #expect(violation(machine, gpa: 0xe000_0ffd, gla: 0x2ffd, Self.write) == 1)
        #expect(machine.raised?.vector == FakeMachine.pageFault && machine.raised?.error == 2)
        #expect(machine.fake.pointee.vcpu.cr2 == 0x3000)
        #expect(machine[VMCS_GUEST_RIP] == 0x1000)
    }

    @Test func aStoreToAReadOnlySlotGoesToUserSpace() {
        let machine = machine([0xc6, 0x00, 0x7e])  // movb $0x7e, (%eax)
        machine.addSlot(0x20000, bytes: 0x1000, readOnly: true)
        machine[RAX] = 0x20010
        #expect(violation(machine, gpa: 0x20010, Self.write) == 0)
        let mmio = fake_run_mmio(machine.fake)
        #expect(mmio.phys_addr == 0x20010 && mmio.len == 1 && mmio.data == 0x7e && mmio.is_write)
        #expect(machine.read(0x20010, bytes: 1) == 0)
    }

    // --- what is not simply an access ---

    @Test func codeThatChangedSinceRunsAgain() {
        let machine = machine([0x89, 0x08])
        machine[RAX] = Self.device
        #expect(violation(machine, gpa: Self.device, Self.read) == 1)  // it stores, the violation was a load
        #expect(violation(machine, gpa: Self.device + 8, Self.write) == 1)  // another address
        #expect(violation(machine, gpa: Self.device + 4, gla: Self.device, Self.write) == 1)
        #expect(machine.raised == nil && machine[VMCS_GUEST_RIP] == 0x1000)
    }

    @Test func fetchesAndPageWalksAreNotEmulated() {
        let machine = machine([0x89, 0x08])
        machine[RAX] = Self.device
        for qualification in [
            Self.fetch | Self.linearValid | Self.ofTheAccess, Self.read | Self.linearValid, Self.read,
        ] {
            fake_run(machine.fake).pointee.exit_reason = 0
            #expect(lkx_mmio_exit(machine.vcpu, Self.device, qualification) == 0)
            #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
            #expect(machine.fake.pointee.vcpu.completion == LKX_COMPLETE_NOTHING)
        }
    }

    @Test func whatIsNotDecodedGoesToUserSpaceWithItsBytes() {
        let code: [UInt8] = [0x0f, 0x29, 0x00, 0x90, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]  // movaps %xmm0, (%eax)
        let machine = machine(code)
        machine[RAX] = Self.device
        #expect(violation(machine, gpa: Self.device, Self.write) == 0)
        #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
        let failure = fake_run_failure(machine.fake)
        #expect(failure.suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION))
        #expect(failure.flags == 1 && failure.insn_size == 15 && failure.ndata >= 3)
        withUnsafeBytes(of: failure.insn_bytes) { #expect(Array($0) == code) }
        #expect(machine[VMCS_GUEST_RIP] == 0x1000)
    }

    @Test func instructionsMayCrossPagesAndEndBeforeUnreadableOnes() {
        // movl $0x11223344, 0x20(%ebx): 7 bytes from 0x1ffd.
        let crossing = machine([0xc7, 0x43, 0x20, 0x44, 0x33, 0x22, 0x11], at: 0x1ffd)
        crossing[RBX] = Self.device
        #expect(violation(crossing, gpa: Self.device + 0x20, Self.write) == 0)
        #expect(fake_run_mmio(crossing.fake).data == 0x1122_3344)
        #expect(crossing[VMCS_GUEST_RIP] == 0x2004)
        // The last instruction of RAM: what follows is no memory, and not needed.
        let last = machine([0x89, 0x08], at: 0xfffe)
        last[RAX] = Self.device
        #expect(violation(last, gpa: Self.device, Self.write) == 0)
        #expect(fake_run(last.fake).pointee.exit_reason == UInt32(KVM_EXIT_MMIO))
        // One that goes on there can't be had.
        let cut = machine([0xc7, 0x03], at: 0xfffe)
        cut[RBX] = Self.device
        #expect(violation(cut, gpa: Self.device, Self.write) == 0)
        #expect(fake_run_failure(cut.fake).suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION))
        #expect(fake_run_failure(cut.fake).insn_size == 2)
    }

    @Test func codeWhosePageIsGoneFaultsInTheGuest() {
        let (machine, entries) = FakeMachine.fourLevel(0x1000)
        machine.write(entries[3], 0, bytes: 8)
        machine[VMCS_GUEST_RIP] = 0x1000
        #expect(violation(machine, gpa: Self.device, Self.write) == 1)
        #expect(machine.raised?.vector == FakeMachine.pageFault && machine.raised?.error == 0x10)
        #expect(machine.fake.pointee.vcpu.cr2 == 0x1000)
    }

    @Test func sixteenBitCodeGoesThroughSegments() {
        let machine = FakeMachine()
        machine.addSlot(0, bytes: 0x20000)
        machine[VMCS_GUEST_CS_BASE] = 0x10000
        machine[VMCS_GUEST_RIP] = 0x100
        machine[VMCS_GUEST_ES_BASE] = 0xa0000
        machine.write(0x10100, [0x26, 0x88, 0x21])  // mov %ah, %es:(%bx,%di)
        machine[RBX] = 0xffff_f000
        machine[RDI] = 0x1008
        machine[RAX] = 0x4100
        #expect(violation(machine, gpa: 0xa0008, Self.write) == 0)
        let mmio = fake_run_mmio(machine.fake)
        #expect(mmio.phys_addr == 0xa0008 && mmio.len == 1 && mmio.data == 0x41)
        #expect(machine[VMCS_GUEST_RIP] == 0x103)
    }
}
