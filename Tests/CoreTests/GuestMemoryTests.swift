// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// Copies to and from guest physical memory, where slots meet and end.
@Suite struct GuestMemoryTests {
    let machine = FakeMachine()

    /// Two slots side by side, whose memory is not; a hole behind them; then a read-only one.
    init() {
        machine.addSlot(0x1000, bytes: 0x1000)
        machine.addSlot(0x2000, bytes: 0x1000)
        machine.addSlot(0x4000, bytes: 0x1000, readOnly: true)
    }

    private func read(_ gpa: UInt64, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0xee, count: count)
        return lkx_gpa_read(machine.vm, gpa, &bytes, count) == 0 ? bytes : nil
    }

    @Test func aCopyGoesOnInTheNextSlot() {
        let bytes = (1...16).map { UInt8($0) }
        #expect(lkx_gpa_write(machine.vm, 0x1ff8, bytes, 16) == 0)
        #expect(machine.read(0x1ff8, bytes: 8) == 0x0807_0605_0403_0201)
        #expect(machine.read(0x2000, bytes: 8) == 0x100f_0e0d_0c0b_0a09)
        #expect(read(0x1ff8, 16) == bytes)
    }

    @Test func whereNoMemoryIs() {
        #expect(read(0x2ff8, 8) != nil && read(0x2ff8, 9) == nil)
        #expect(read(0xff8, 16) == nil && read(0x3000, 1) == nil)
        #expect(lkx_gpa_write(machine.vm, 0x2ffc, [1, 2, 3, 4, 5], 5) == -EFAULT)
        #expect(lkx_gpa_write(machine.vm, 0x4000, [1], 1) == -EFAULT)
        #expect(read(0x4000, 1) == [0])
    }

    @Test func exchanges() {
        machine.write(0x2000, 5, bytes: 8)
        #expect(lkx_gpa_cmpxchg(machine.vm, 0x2000, 8, 5, 7) == 0 && machine.read(0x2000, bytes: 8) == 7)
        #expect(lkx_gpa_cmpxchg(machine.vm, 0x2000, 8, 5, 9) == -EAGAIN && machine.read(0x2000, bytes: 8) == 7)
        #expect(lkx_gpa_cmpxchg(machine.vm, 0x4000, 8, 0, 9) == -EROFS)
        #expect(lkx_gpa_cmpxchg(machine.vm, 0x3000, 8, 0, 9) == -EFAULT)
    }

    /// What the host has taken away between the walk and the copy.
    @Test func memoryThatGoesMeanwhile() {
        machine.fake.pointee.gone_from = UInt64(UInt(bitPattern: fake_memory(machine.fake, 0x1000, 1)))
        machine.fake.pointee.gone_to = machine.fake.pointee.gone_from + 0x1000
        var fault = lkx_walk_fault()
        var value: UInt64 = 0
        #expect(lkx_gla_read(machine.vcpu, 0x1000, 0, &value, 8, &fault) == -ENXIO)
        #expect(fault.address == 0x1000)
        #expect(lkx_gla_read(machine.vcpu, 0x2000, 0, &value, 8, &fault) == 0)
    }
}
