// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// Writes that an eventfd is told of (KVM_IOEVENTFD), instead of user space.
@Suite struct IOEventTests {
    static let match: UInt32 = 1, pio: UInt32 = 2  // KVM_IOEVENTFD_FLAG_*
    let machine = FakeMachine(mode: FAKE_PROTECTED_32)

    private func arguments(_ addr: UInt64, _ len: UInt32, _ flags: UInt32 = 0, value: UInt64 = 0) -> kvm_ioeventfd {
        var args = kvm_ioeventfd()
        args.addr = addr
        args.len = len
        args.flags = flags
        args.datamatch = value
        return args
    }

    private func decode(_ args: kvm_ioeventfd) -> Int32 {
        var args = args
        var event = lkx_ioevent()
        return lkx_ioevent_decode(&args, &event)
    }

    private func add(
        _ target: Int, _ addr: UInt64, _ len: UInt32, _ flags: UInt32 = 0, value: UInt64 = 0
    ) -> Int32 {
        var args = arguments(addr, len, flags, value: value)
        var event = lkx_ioevent()
        let refused = lkx_ioevent_decode(&args, &event)
        if refused != 0 { return refused }
        event.target = UnsafeMutableRawPointer(bitPattern: target)
        return lkx_ioevent_add(machine.vm, &event)
    }

    /// The target that was taken out, or -errno.
    private func remove(
        _ target: Int, _ addr: UInt64, _ len: UInt32, _ flags: UInt32 = 0, value: UInt64 = 0
    ) -> Int {
        var args = arguments(addr, len, flags, value: value)
        var event = lkx_ioevent()
        #expect(lkx_ioevent_decode(&args, &event) == 0)
        var found: UnsafeMutableRawPointer?
        let r = lkx_ioevent_remove(
            machine.vm, &event, { $0 == $1 }, UnsafeMutableRawPointer(bitPattern: target), &found)
        return r == 0 ? Int(bitPattern: found) : Int(r)
    }

    /// Who was told of the write; 0: nobody.
    private func write(_ bus: lkx_ioevent_bus, _ addr: UInt64, _ len: UInt32, _ value: UInt64) -> UInt64 {
        var value = value
        machine.fake.pointee.signalled = 0
        let taken = lkx_ioevent_write(machine.vm, bus, addr, len, &value)
        #expect(taken == (machine.fake.pointee.signalled != 0))
        return machine.fake.pointee.signalled
    }

    private func end() { lkx_ioevents_destroy(machine.vm, { _ in }) }

    @Test func whatIsRefused() {
        for len in [3, 5, 7, 9, 16] as [UInt32] { #expect(decode(arguments(0x500, len)) == -EINVAL) }
        for len in [0, 1, 2, 4, 8] as [UInt32] { #expect(decode(arguments(0x500, len)) == 0) }
        #expect(decode(arguments(~2, 4)) == -EINVAL && decode(arguments(~3, 2)) == 0)
        #expect(decode(arguments(0x500, 0, Self.match)) == -EINVAL)
        for flag in 3..<32 as Range<UInt32> { #expect(decode(arguments(0x500, 1, 1 << flag)) == -EINVAL, "\(flag)") }
    }

    @Test func aWriteGoesToTheEventOfItsBusAddressWidthAndValue() {
        #expect(write(LKX_IOEVENT_PIO, 0x500, 1, 0) == 0)
        #expect(add(1, 0x500, 1, Self.pio) == 0)
        #expect(add(2, 0x500, 2, Self.pio | Self.match, value: 0x1234) == 0)
        #expect(add(3, 0x500, 2, Self.pio | Self.match, value: 0x1235) == 0)
        #expect(add(4, 0x500, 4) == 0)
        #expect(add(5, 0x400, 0) == 0)
        #expect(add(6, 0x600, 4, Self.match, value: 0x1_0000_0005) == 0)
        #expect(write(LKX_IOEVENT_PIO, 0x500, 1, 0xff) == 1)
        #expect(write(LKX_IOEVENT_PIO, 0x500, 2, 0xffff_1234) == 2)
        #expect(write(LKX_IOEVENT_PIO, 0x500, 2, 0x1235) == 3)
        #expect(write(LKX_IOEVENT_PIO, 0x500, 2, 0x1236) == 0)
        #expect(write(LKX_IOEVENT_PIO, 0x500, 4, 0x1234) == 0)
        #expect(write(LKX_IOEVENT_MMIO, 0x500, 4, 0x1234) == 4)
        #expect(write(LKX_IOEVENT_MMIO, 0x501, 4, 0x1234) == 0 && write(LKX_IOEVENT_MMIO, 0x4ff, 4, 0x1234) == 0)
        for len in [1, 2, 4, 8] as [UInt32] { #expect(write(LKX_IOEVENT_MMIO, 0x400, len, 7) == 5) }
        // What no write of its width can be, none is.
        #expect(write(LKX_IOEVENT_MMIO, 0x600, 4, 5) == 0)
        end()
        #expect(write(LKX_IOEVENT_PIO, 0x500, 1, 0xff) == 0)
    }

    @Test func twoThatOneWriteCouldMeetCollide() {
        #expect(add(1, 0x500, 2, Self.match, value: 5) == 0)
        #expect(add(2, 0x500, 2, Self.match, value: 5) == -EEXIST)
        #expect(add(2, 0x500, 2) == -EEXIST && add(2, 0x500, 0) == -EEXIST)
        #expect(add(2, 0x500, 2, Self.match, value: 6) == 0 && add(3, 0x500, 4) == 0)
        #expect(add(4, 0x500, 4, Self.match, value: 6) == -EEXIST)
        #expect(add(4, 0x500, 2, Self.pio) == 0 && add(4, 0x501, 0) == 0 && add(5, 0x501, 1) == -EEXIST)
        end()
    }

    @Test func onlyTheVeryOneIsTakenOut() {
        #expect(remove(1, 0x500, 2) == Int(-ENOENT))
        #expect(add(1, 0x500, 2, Self.match, value: 5) == 0 && add(2, 0x500, 4) == 0 && add(3, 0x300, 1, Self.pio) == 0)
        #expect(remove(2, 0x500, 2, Self.match, value: 5) == Int(-ENOENT))
        #expect(remove(1, 0x500, 2, Self.match, value: 6) == Int(-ENOENT))
        #expect(remove(1, 0x500, 2) == Int(-ENOENT) && remove(1, 0x501, 2, Self.match, value: 5) == Int(-ENOENT))
        #expect(remove(2, 0x500, 4, Self.pio) == Int(-ENOENT) && remove(3, 0x300, 0, Self.pio) == Int(-ENOENT))
        #expect(remove(1, 0x500, 2, Self.match, value: 5) == 1)
        #expect(write(LKX_IOEVENT_MMIO, 0x500, 2, 5) == 0 && write(LKX_IOEVENT_MMIO, 0x500, 4, 5) == 2)
        #expect(remove(2, 0x500, 4) == 2 && remove(3, 0x300, 1, Self.pio) == 3)
        #expect(remove(3, 0x300, 1, Self.pio) == Int(-ENOENT))
        #expect(machine.vm.pointee.ioevents == nil)
    }

    @Test func manyAreFoundAndThereIsALimit() {
        let limit = UInt64(LKX_MAX_IOEVENTS)
        // In an order of their own.
        for i in 0..<limit { #expect(add(Int(i) + 1, (i &* 2_654_435_761) % limit, 1, i % 2 == 0 ? Self.pio : 0) == 0) }
        #expect(add(1, limit, 1) == -ENOSPC)
        for i in stride(from: 0, to: limit, by: 37) {
            let bus = i % 2 == 0 ? LKX_IOEVENT_PIO : LKX_IOEVENT_MMIO
            #expect(write(bus, (i &* 2_654_435_761) % limit, 1, 0) == i + 1)
        }
        #expect(remove(1, 0, 1, Self.pio) == 1)
        #expect(add(1, limit, 1) == 0)
        end()
    }

    // MARK: Exits

    private func out(port: UInt64, bytes: UInt64, rip: UInt64 = 0x100) -> Int32 {
        machine[VMCS_GUEST_RIP] = rip
        machine.fake.pointee.vcpu.exit = lkx_exit()
        machine.fake.pointee.vcpu.exit.reason = EXIT_IO_INSTRUCTION.rawValue
        machine.fake.pointee.vcpu.exit.qualification = port << 16 | (bytes - 1)
        machine.fake.pointee.vcpu.exit.instruction_length = 2
        return lkx_exit_dispatch(machine.vcpu)
    }

    @Test func anOutGoesOnInTheGuest() {
        #expect(add(9, 0x500, 2, Self.pio | Self.match, value: 0x5566) == 0)
        machine[RAX] = 0x1111_5566
        #expect(out(port: 0x500, bytes: 2) == 1)
        #expect(machine.fake.pointee.signalled == 9 && machine[VMCS_GUEST_RIP] == 0x102)
        machine[RAX] = 0x1111_5567
        #expect(out(port: 0x500, bytes: 2) == 0)
        #expect(machine.fake.pointee.signals == 1 && machine[VMCS_GUEST_RIP] == 0x100)
        // IN of that port is no write.
        machine[RAX] = 0x5566
        machine.fake.pointee.vcpu.exit.qualification |= 8
        #expect(lkx_exit_dispatch(machine.vcpu) == 0)
        #expect(machine.fake.pointee.signals == 1)
        end()
    }

    @Test func aStoreGoesOnInTheGuestAndALoadDoesNot() {
        let device: UInt64 = 0xd000_0000
        machine.addSlot(0, bytes: 0x10000)
        machine.write(0x1000, [0x89, 0x08, 0x8b, 0x08])  // mov %ecx, (%eax); mov (%eax), %ecx
        machine[RAX] = device
        machine[RCX] = 0x1122_3344
        #expect(add(7, device, 4) == 0)
        for (rip, access, result) in [(0x1000, 2, 1), (0x1002, 1, 0)] as [(UInt64, UInt64, Int32)] {
            machine[VMCS_GUEST_RIP] = rip
            machine[VMCS_GUEST_LINEAR_ADDRESS] = device
            #expect(lkx_mmio_exit(machine.vcpu, device, access | 0x180) == result)
        }
        #expect(machine.fake.pointee.signals == 1 && machine.fake.pointee.signalled == 7)
        #expect(machine[VMCS_GUEST_RIP] == 0x1002)
        end()
    }

    /// Each page's part is a write of its own width.
    @Test func aStoreToTwoPagesIsTwoWrites() {
        let device: UInt64 = 0xd000_0000
        machine.addSlot(0, bytes: 0x10000)
        machine.write(0x1000, [0x89, 0x08])
        machine[RAX] = device + 0xffe
        machine[RCX] = 0x1122_3344
        machine[VMCS_GUEST_RIP] = 0x1000
        machine[VMCS_GUEST_LINEAR_ADDRESS] = device + 0xffe
        #expect(add(7, device + 0xffe, 2, Self.match, value: 0x3344) == 0)
        #expect(lkx_mmio_exit(machine.vcpu, device + 0xffe, 0x182) == 0)
        let mmio = fake_run_mmio(machine.fake)
        #expect(machine.fake.pointee.signals == 1 && mmio.phys_addr == device + 0x1000 && mmio.data == 0x1122)
        #expect(lkx_mmio_complete(machine.vcpu) == 1)
        #expect(machine.fake.pointee.signals == 1)
        end()
    }
}
