// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

extension Machine {
    /// All slots together may have so many bytes.
    static let memoryLimit: UInt64 = 4 << 30

    /// The guest's memory, filled, with its page tables and its program in it.
    static func memory(_ guest: Guest, image: [UInt8]) throws(MachineError) -> [MemorySlot] {
        guard !guest.memory.isEmpty else { throw .settings("guest \(guest.name) has no memory: give it a slot") }
        guard !image.isEmpty else { throw .settings("guest \(guest.name) is empty: there is nothing to run") }
        var total: UInt64 = 0
        var slots: [MemorySlot] = []
        for memory in guest.memory {
            total = total.addingReportingOverflow(memory.size).partialValue
            guard memory.size > 0, memory.size <= memoryLimit, total <= memoryLimit else {
                throw .settings(
                    "guest \(guest.name): slot \(memory.slot) has \(hex(memory.size)) bytes; "
                        + "one slot and all together may have up to \(hex(memoryLimit)), and none 0")
            }
            do throws(KVMError) {
                let slot = try MemorySlot(
                    slot: memory.slot, base: memory.base, count: Int(memory.size), isReadOnly: memory.isReadOnly)
                if memory.fill != 0 { slot.fill(memory.fill) }
                slots.append(slot)
            } catch {
                throw .settings("guest \(guest.name): \(error)")
            }
        }
        if guest.mode == .long64 {
            try put(StartState.pageTables(at: guest.pageTables), guest.pageTables, "the page tables", slots, guest)
        }
        try put(image, guest.load, "the program", slots, guest)
        guard slots.contains(where: { $0.contains(guest.entry, 1) }) else {
            throw .settings(
                "guest \(guest.name): its entry \(guest.entry) is outside of its memory (\(describe(slots)))")
        }
        return slots
    }

    private static func put(
        _ bytes: [UInt8], _ address: GuestAddress, _ what: String, _ slots: [MemorySlot], _ guest: Guest
    ) throws(MachineError) {
        for slot in slots where slot.write(bytes, at: address) { return }
        throw .settings(
            "guest \(guest.name): \(what) of \(bytes.count) bytes at \(address) is not inside one slot of its memory "
                + "(\(describe(slots))): give it more with --memory, or another address")
    }

    private static func describe(_ slots: [MemorySlot]) -> String {
        slots.map { "slot \($0.slot) \($0.base)-\($0.last)" }.joined(separator: ", ")
    }
}
