// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine
import Testing

@Suite("FNV-1a, 64 bits")
struct DigestTests {
    @Test(
        "the values of its inventors",
        arguments: [
            ("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8),
        ] as [(String, UInt64)])
    func vectors(_ text: String, _ value: UInt64) { #expect(FNV1a.digest(Array(text.utf8)) == value) }

    @Test("a slot's digest is that of its bytes")
    func slot() throws {
        let slot = try MemorySlot(slot: 0, base: GuestAddress(0), count: 4096)
        slot.fill(3)
        #expect(FNV1a.digest(slot) == FNV1a.digest([UInt8](repeating: 3, count: 4096)))
    }
}
