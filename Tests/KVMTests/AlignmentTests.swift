// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import KVM

@Suite("Alignment of a slot's memory")
struct AlignmentTests {
    @Test("at a multiple of what is asked for, all of it usable", arguments: [4096, 0x1_0000, 0x20_0000, 0x4000_0000])
    func alignment(_ alignment: Int) throws {
        // More than one: an address may be a multiple by chance.
        let slots = try (0..<4).map { _ in
            try MemorySlot(slot: 0, base: GuestAddress(0), count: 0x3000, alignment: alignment)
        }
        for slot in slots {
            #expect(slot.host.rawValue % UInt64(alignment) == 0)
            slot.prefer(.small)
            slot.populate()
            #expect(slot.write([1], at: slot.last) && slot.read(at: slot.last, count: 1) == [1])
        }
    }
}
