// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import KVM

@Suite("Guest memory is read and written inside its bounds only")
struct MemorySlotTests {
    @Test func readsWhatWasWritten() throws {
        let slot = try MemorySlot(slot: 1, base: GuestAddress(0x1000), count: 0x1000)
        #expect(slot.write([1, 2, 3], at: GuestAddress(0x1ffd)))
        #expect(slot.read(at: GuestAddress(0x1ffc), count: 4) == [0, 1, 2, 3])
        #expect(slot.last == GuestAddress(0x1fff))
    }

    @Test(
        "outside",
        arguments: [(0xfff, 1), (0x1ffd, 4), (0x2000, 1), (UInt64.max, 1), (UInt64.max - 1, 4)] as [(UInt64, Int)])
    func outside(_ address: UInt64, _ count: Int) throws {
        let slot = try MemorySlot(slot: 0, base: GuestAddress(0x1000), count: 0x1000)
        #expect(slot.read(at: GuestAddress(address), count: count) == nil)
        #expect(!slot.write([UInt8](repeating: 7, count: count), at: GuestAddress(address)))
    }

    @Test func fill() throws {
        let slot = try MemorySlot(slot: 0, base: GuestAddress(0), count: 0x2000)
        slot.fill(0x11)
        #expect(slot.read(at: GuestAddress(0), count: 0x2000) == [UInt8](repeating: 0x11, count: 0x2000))
    }

    @Test("more than the host has is an error, not a crash")
    func tooLarge() {
        #expect(throws: KVMError.self) { _ = try MemorySlot(slot: 0, base: GuestAddress(0), count: 1 << 60) }
    }
}
