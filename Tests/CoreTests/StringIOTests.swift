// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// INS and OUTS as user space and the guest see them.
@Suite struct StringIOTests {
    enum Width: UInt64 {
        case two = 0
        case four = 1
        case eight = 2
    }

    /// 4 KiB slots up to 0x10000; the instruction is two bytes at 0x1000.
    private func machine(_ mode: fake_mode = FAKE_PROTECTED_32) -> FakeMachine {
        let machine = FakeMachine(mode: mode)
        machine.addSlot(0, bytes: 0x10000)
        machine[VMCS_GUEST_RIP] = 0x1000
        machine.fake.pointee.vcpu.exit.instruction_length = 2
        return machine
    }

    private func exit(
        _ machine: FakeMachine, input: Bool, size: UInt64, rep: Bool, width: Width = .four, segment: UInt64 = 3,
        port: UInt64 = 0x1f0
    ) -> Int32 {
        machine.fake.pointee.vcpu.exit.qualification =
            (size - 1) | (input ? 8 : 0) | 16 | (rep ? 32 : 0) | port << 16
        machine[VMCS_EXIT_INSTRUCTION_INFO] = width.rawValue << 7 | segment << 15
        return lkx_exit_string_io(machine.vcpu)
    }

    private func data(_ machine: FakeMachine) -> UnsafeMutablePointer<UInt8> {
        machine.fake.pointee.vcpu.pio_data
    }

    // --- OUTS ---

    @Test func outsGivesOneElementWithItsRegistersPastIt() {
        let machine = machine()
        machine.write(0x2000, 0x4433_2211_aabb_ccdd, bytes: 8)
        machine[RSI] = 0x2000
        machine[RCX] = 2
        #expect(exit(machine, input: false, size: 4, rep: true) == 0)
        #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_IO))
        let io = fake_run_io(machine.fake)
        #expect(Int32(io.direction) == KVM_EXIT_IO_OUT && io.size == 4 && io.count == 1 && io.port == 0x1f0)
        #expect(io.data_offset == 4096)
        #expect((0..<4).map { data(machine)[$0] } == [0xdd, 0xcc, 0xbb, 0xaa])
        #expect(machine[RSI] == 0x2004 && machine[RCX] == 1)
        // Not over: the guest executes it again, with RF set.
        #expect(machine[VMCS_GUEST_RIP] == 0x1000 && machine[VMCS_GUEST_RFLAGS] == 0x10002)
        #expect(machine.fake.pointee.vcpu.completion == LKX_COMPLETE_NOTHING)
        #expect(exit(machine, input: false, size: 4, rep: true) == 0)
        #expect((0..<4).map { data(machine)[$0] } == [0x11, 0x22, 0x33, 0x44])
        #expect(machine[RSI] == 0x2008 && machine[RCX] == 0)
        #expect(machine[VMCS_GUEST_RIP] == 0x1002 && machine[VMCS_GUEST_RFLAGS] == 2)
    }

    @Test func withoutRepRCXIsLeftAlone() {
        let machine = machine()
        machine[RSI] = 0x2000
        machine[RCX] = 0
        machine[VMCS_GUEST_RFLAGS] = 0x402  // DF
        #expect(exit(machine, input: false, size: 2, rep: false) == 0)
        #expect(machine[RSI] == 0x1ffe && machine[RCX] == 0 && machine[VMCS_GUEST_RIP] == 0x1002)
    }

    @Test(arguments: [true, false]) func repOfNothingIsSteppedOver(input: Bool) {
        let machine = machine()
        machine[RCX] = 0xffff_0000_0000
        #expect(exit(machine, input: input, size: 1, rep: true) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x1002)
        machine[RCX] = 0xf_0000
        #expect(exit(machine, input: input, size: 1, rep: true, width: .two) == 1)
        #expect(machine[VMCS_GUEST_RIP] == 0x1004)
    }

    @Test func registersKeepWhatTheAddressSizeDoesNotCover() {
        let two = machine()
        two[RSI] = 0xaaaa_bbbb_cccc_ffff
        two[RCX] = 0x1111_2222_3333_0001
        #expect(exit(two, input: false, size: 1, rep: true, width: .two) == 0)
        #expect(two[RSI] == 0xaaaa_bbbb_cccc_0000 && two[RCX] == 0x1111_2222_3333_0000)
        #expect(two[VMCS_GUEST_RIP] == 0x1002)

        let (four, _) = FakeMachine.fourLevel(0x1000)
        four.fake.pointee.vcpu.exit.instruction_length = 2
        four.write(0x5fff, 0x5a, bytes: 1)
        four[RSI] = 0xffff_ffff_0000_1fff
        four[RCX] = 0xffff_ffff_0000_0002
        #expect(exit(four, input: false, size: 1, rep: true) == 0)
        #expect(four[RSI] == 0x2000 && four[RCX] == 1)
        #expect(data(four)[0] == 0x5a)
        four[RSI] = 0x1fff
        four[RCX] = 0x1_0000_0001
        #expect(exit(four, input: false, size: 1, rep: true, width: .eight) == 0)
        #expect(four[RSI] == 0x2000 && four[RCX] == 0x1_0000_0000)
    }

    @Test func outsTakesTheSegmentThatTheProcessorNames() {
        let machine = machine(FAKE_REAL)
        machine[VMCS_GUEST_FS_BASE] = 0x3000
        machine.write(0x3010, 0x77, bytes: 1)
        machine[RSI] = 0x10
        #expect(exit(machine, input: false, size: 1, rep: false, width: .two, segment: 4) == 0)
        #expect(data(machine)[0] == 0x77)
    }

    @Test func withoutInstructionInformationThePrefixesSay() {
        let machine = machine(FAKE_REAL)
        machine.fake.pointee.caps.ins_outs_info = false
        machine[VMCS_GUEST_FS_BASE] = 0x3000
        machine.write(0x3010, 0x77, bytes: 1)
        machine.write(0x1000, [0x64, 0x67, 0xf3, 0x6e])  // rep outsb %fs:(%esi)
        machine[RSI] = 0x10
        machine[RCX] = 0x1_0001
        #expect(exit(machine, input: false, size: 1, rep: true, width: .two, segment: 0) == 0)
        #expect(data(machine)[0] == 0x77)
        #expect(machine[RSI] == 0x11 && machine[RCX] == 0x1_0000)
        // Another processor wrote something else there: the guest executes that.
        machine.write(0x1000, [0x90])
        #expect(exit(machine, input: false, size: 1, rep: true) == 1)
        #expect(machine[RSI] == 0x11 && machine[VMCS_GUEST_RIP] == 0x1000)
    }

    // --- INS ---

    @Test func insAsksForAllThatFitsAndStoresItWhenAnswered() {
        let machine = machine()
        machine[RDI] = 0x2000
        machine[RCX] = 3
        #expect(exit(machine, input: true, size: 2, rep: true) == 0)
        let io = fake_run_io(machine.fake)
        #expect(Int32(io.direction) == KVM_EXIT_IO_IN && io.size == 2 && io.count == 3)
        #expect(machine[RDI] == 0x2000 && machine[RCX] == 3 && machine[VMCS_GUEST_RIP] == 0x1000)
        #expect(machine.fake.pointee.vcpu.completion == LKX_COMPLETE_INS)
        for index in 0..<8 { data(machine)[index] = UInt8(index + 1) }
        #expect(lkx_pio_complete_ins(machine.vcpu) == 1)
        #expect(machine.read(0x2000, bytes: 8) == 0x0000_0605_0403_0201)
        #expect(machine[RDI] == 0x2006 && machine[RCX] == 0 && machine[VMCS_GUEST_RIP] == 0x1002)
    }

    @Test func aBlockComesAKilobyteAtATime() {
        let machine = machine()
        machine[RDI] = 0x2000
        machine[RCX] = 1000
        var counts: [UInt32] = []
        while machine[VMCS_GUEST_RIP] == 0x1000 {
            #expect(exit(machine, input: true, size: 4, rep: true) == 0)
            counts.append(fake_run_io(machine.fake).count)
            for index in 0..<1024 { data(machine)[index] = UInt8(counts.count) }
            #expect(lkx_pio_complete_ins(machine.vcpu) == 1)
            guard counts.count < 10 else { break }
        }
        #expect(counts == [256, 256, 256, 232])
        #expect(machine.read(0x23fc, bytes: 8) == 0x0202_0202_0101_0101)
        #expect(machine.read(0x2f9c, bytes: 8) == 0x0404_0404)
    }

    @Test func downwardsTheSameElementByElement() {
        let machine = machine()
        machine[RDI] = 0x2004
        machine[RCX] = 3
        machine[VMCS_GUEST_RFLAGS] = 0x402
        #expect(exit(machine, input: true, size: 2, rep: true) == 0)
        #expect(fake_run_io(machine.fake).count == 3)
        for index in 0..<6 { data(machine)[index] = UInt8(index + 1) }
        #expect(lkx_pio_complete_ins(machine.vcpu) == 1)
        #expect(machine.read(0x2000, bytes: 6) == 0x0201_0403_0605)
        #expect(machine[RDI] == 0x1ffe && machine[RCX] == 0 && machine[VMCS_GUEST_RIP] == 0x1002)
    }

    @Test func theExitEndsWhereStockKVMsDoes() {
        // 5 bytes to the end of the page bound the count, whatever the element's size.
        let machine = machine()
        machine[RDI] = 0x2ffb
        machine[RCX] = 100
        #expect(exit(machine, input: true, size: 1, rep: true) == 0)
        #expect(fake_run_io(machine.fake).count == 5)
        machine[RDI] = 0x2003
        machine[VMCS_GUEST_RFLAGS] = 0x402
        #expect(exit(machine, input: true, size: 1, rep: true) == 0)
        #expect(fake_run_io(machine.fake).count == 3)
        machine[RDI] = 0x2000
        #expect(exit(machine, input: true, size: 1, rep: true) == 0)
        #expect(fake_run_io(machine.fake).count == 1)
    }

    // --- memory that isn't there ---

    /// 0x1000 is mapped (to 0x5000), 0x2000 is not.
    @Test func aPageFaultComesBeforeTheDeviceIsRead() {
        let (machine, entries) = FakeMachine.fourLevel(0x1000)
        machine.fake.pointee.vcpu.exit.instruction_length = 2
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[RDI] = 0x2000
        machine[RCX] = 4
        #expect(exit(machine, input: true, size: 1, rep: true, width: .eight) == 1)
        #expect(machine.raised?.vector == FakeMachine.pageFault && machine.raised?.error == 2)
        #expect(machine.fake.pointee.vcpu.cr2 == 0x2000)
        machine.fake.pointee.vcpu.events = lkx_events()
        // A page that may not be written is no better.
        machine.write(entries[3], 0x5000 | Entry.present | Entry.user, bytes: 8)
        fake_set_cpl(machine.fake, 3)
        machine[RDI] = 0x1800
        #expect(exit(machine, input: true, size: 1, rep: true, width: .eight) == 1)
        #expect(machine.raised?.error == 7)
        #expect(machine[RDI] == 0x1800 && machine[RCX] == 4 && machine[VMCS_GUEST_RIP] == 0x1000)
    }

    @Test func elementsBeforeThePageThatIsMissingAreDone() {
        let (machine, _) = FakeMachine.fourLevel(0x1000)
        machine.fake.pointee.vcpu.exit.instruction_length = 2
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[RDI] = 0x1ff8
        machine[RCX] = 8
        #expect(exit(machine, input: true, size: 4, rep: true, width: .eight) == 0)
        #expect(fake_run_io(machine.fake).count == 2)
        for index in 0..<8 { data(machine)[index] = 0xee }
        #expect(lkx_pio_complete_ins(machine.vcpu) == 1)
        #expect(machine.read(0x5ff8, bytes: 8) == 0xeeee_eeee_eeee_eeee)
        #expect(machine[RDI] == 0x2000 && machine[RCX] == 6 && machine[VMCS_GUEST_RIP] == 0x1000)
        #expect(exit(machine, input: true, size: 4, rep: true, width: .eight) == 1)
        #expect(machine.raised?.vector == FakeMachine.pageFault)
        #expect(machine.fake.pointee.vcpu.cr2 == 0x2000)
    }

    @Test func theTablesMayChangeWhileUserSpaceThinks() {
        let (machine, entries) = FakeMachine.fourLevel(0x1000)
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[RDI] = 0x1000
        machine[RCX] = 4
        #expect(exit(machine, input: true, size: 1, rep: true, width: .eight) == 0)
        machine.write(entries[3], 0, bytes: 8)
        #expect(lkx_pio_complete_ins(machine.vcpu) == 1)
        #expect(machine.raised?.vector == FakeMachine.pageFault)
        #expect(machine[RDI] == 0x1000 && machine[RCX] == 4 && machine[VMCS_GUEST_RIP] == 0x1000)
    }

    @Test(arguments: [true, false]) func dataInAnotherDevicesMemoryIsNotEmulated(input: Bool) {
        let machine = machine()
        machine[RDI] = 0xd000_0000
        machine[RSI] = 0xd000_0000
        #expect(exit(machine, input: input, size: 1, rep: false) == 0)
        #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
        #expect(fake_run_failure(machine.fake).suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION))
        #expect(machine[VMCS_GUEST_RIP] == 0x1000)
    }

    @Test func anElementAcrossTwoPages() {
        let (machine, _) = FakeMachine.fourLevel(0x1000)
        machine.write(0x13010, 0x8000 | Entry.all, bytes: 8)
        machine.fake.pointee.vcpu.exit.instruction_length = 2
        machine[RDI] = 0x1ffe
        #expect(exit(machine, input: true, size: 4, rep: false, width: .eight) == 0)
        for index in 0..<4 { data(machine)[index] = UInt8(0x11 * (index + 1)) }
        #expect(lkx_pio_complete_ins(machine.vcpu) == 1)
        #expect(machine.read(0x5ffe, bytes: 2) == 0x2211 && machine.read(0x8000, bytes: 2) == 0x4433)
    }

    @Test func anotherRIPDropsTheInput() {
        let machine = machine()
        machine[RDI] = 0x2000
        #expect(exit(machine, input: true, size: 4, rep: false) == 0)
        machine[VMCS_GUEST_RIP] = 0x4000
        data(machine)[0] = 0xff
        #expect(lkx_pio_complete_ins(machine.vcpu) == 1)
        #expect(machine.read(0x2000, bytes: 4) == 0 && machine[RDI] == 0x2000 && machine[VMCS_GUEST_RIP] == 0x4000)
    }
}
