// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Testing

@testable import TestMachine

@Suite("A guest's memory is laid out as its settings say")
struct MemoryTests {
    private func guest(_ change: (inout Guest) -> Void = { _ in }) -> Guest {
        var guest = Guest(name: "x")
        guest.memory = [
            Guest.Memory(slot: 0, base: GuestAddress(0), size: 0x1000, fill: 0x11),
            Guest.Memory(slot: 5, base: GuestAddress(0x8000), size: 0x8000, isReadOnly: true),
        ]
        change(&guest)
        return guest
    }

    @Test func filledAndLoaded() throws {
        let slots = try Machine.memory(guest { $0.load = GuestAddress(0x10) }, image: [1, 2])
        #expect(slots[0].read(at: GuestAddress(0xf), count: 4) == [0x11, 1, 2, 0x11])
        #expect(slots[1].isReadOnly)
        #expect(slots[1].read(at: GuestAddress(0x8000), count: 2) == [0, 0])
    }

    @Test("long64 gets page tables that map the first GiB to itself")
    func pageTables() throws {
        let slots = try Machine.memory(
            guest {
                $0.mode = .long64
                $0.load = GuestAddress(0)
            }, image: [0xf4])
        func entry(_ address: UInt64) -> UInt64 {
            (slots[1].read(at: GuestAddress(address), count: 8) ?? []).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        #expect(entry(0x9000) == 0xa003)
        #expect(entry(0x9008) == 0)
        #expect(entry(0xa000) == 0xb003)
        #expect(entry(0xb000) == 0x83)
        #expect(entry(0xb000 + 511 * 8) == 511 << 21 | 0x83)
    }

    @Test("settings that can't be are errors")
    func errors() {
        func message(_ image: [UInt8] = [0xf4], _ change: (inout Guest) -> Void) -> String {
            #expect(throws: MachineError.self) { try Machine.memory(guest(change), image: image) }?.description ?? ""
        }
        #expect(message { $0.memory = [] }.contains("has no memory"))
        #expect(message([]) { _ in }.contains("is empty"))
        #expect(message { $0.memory[0].size = 0 }.contains("slot 0 has 0x0 bytes"))
        #expect(message { $0.memory[1].size = 1 << 40 }.contains("slot 5 has 0x10000000000 bytes"))
        #expect(message { $0.load = GuestAddress(0x4000) }.contains("the program of 1 bytes at 0x4000 is not inside"))
        #expect(message([UInt8](repeating: 0, count: 0x1001)) { _ in }.contains("the program of 4097 bytes at 0x0"))
        #expect(message { $0.entry = GuestAddress(0x7000) }.contains("its entry 0x7000 is outside"))
        #expect(
            message {
                $0.mode = .long64
                $0.pageTables = GuestAddress(0xe000)
            }.contains("the page tables of 12288 bytes at 0xe000"))
    }
}
