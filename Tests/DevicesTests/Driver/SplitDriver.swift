// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

final class SplitDriver: DriverRing {
    let ram: GuestRAM
    let size: UInt16
    let areas: (descriptors: UInt64, driver: UInt64, device: UInt64)
    private let hasEventIndex: Bool
    private var free: [UInt16]
    private var chains: [UInt16: [UInt16]] = [:]
    private var added: UInt16 = 0
    private var addedWhenAsked: UInt16 = 0
    private var seen: UInt16 = 0

    init(_ ram: GuestRAM, size: UInt16, hasEventIndex: Bool) {
        (self.ram, self.size, self.hasEventIndex) = (ram, size, hasEventIndex)
        areas = (
            ram.allocate(16 * Int(size)), ram.allocate(6 + 2 * Int(size), alignment: 2),
            ram.allocate(6 + 8 * Int(size), alignment: 4)
        )
        // Out of order, as in a driver that has been running for a while.
        free = (0..<size).map { $0 ^ 1 < size ? $0 ^ 1 : $0 }
    }

    func describe(_ table: UInt64, _ index: UInt16, _ buffer: Buffer, flags: UInt16, next: UInt16) throws {
        let gpa = table + 16 * UInt64(index)
        try ram.memory.store(gpa, buffer.gpa)
        try ram.memory.store(gpa + 8, buffer.count)
        try ram.memory.store(gpa + 12, flags | (buffer.isWritable ? 2 : 0))
        try ram.memory.store(gpa + 14, next)
    }

    func add(_ buffers: [Buffer], indirect: Bool) throws -> UInt16 {
        let head: UInt16
        if indirect {
            let table = ram.allocate(16 * buffers.count)
            // Backwards through the table, which is as good an order as any.
            for (place, buffer) in buffers.enumerated() {
                let index = place == 0 ? 0 : UInt16(buffers.count - place)
                let next = UInt16(buffers.count - place - 1)
                try describe(table, index, buffer, flags: place + 1 < buffers.count ? 1 : 0, next: next)
            }
            guard let slot = free.popLast() else { throw DriverError.full }
            head = slot
            try describe(
                areas.descriptors, head, Buffer(gpa: table, count: UInt32(16 * buffers.count), isWritable: false),
                flags: 4, next: 0)
            chains[head] = [head]
        } else {
            guard free.count >= buffers.count else { throw DriverError.full }
            let slots = buffers.map { _ in free.removeLast() }
            for (place, buffer) in buffers.enumerated() {
                let isLast = place + 1 == buffers.count
                try describe(
                    areas.descriptors, slots[place], buffer, flags: isLast ? 0 : 1, next: isLast ? 0 : slots[place + 1])
            }
            head = slots[0]
            chains[head] = slots
        }
        try publish(head)
        return head
    }

    func publish(_ head: UInt16) throws {
        try ram.memory.store(areas.driver + 4 + 2 * UInt64(added % size), head)
        added &+= 1
        try ram.memory.storeRelease(areas.driver + 2, added)
    }

    func takeCompleted() throws -> [Completion] {
        var all: [Completion] = []
        while try ram.memory.loadAcquire(areas.device + 2) != seen {
            let entry = areas.device + 4 + 8 * UInt64(seen % size)
            let identifier = UInt16(try ram.memory.load(entry, as: UInt32.self))
            all.append(Completion(identifier: identifier, written: try ram.memory.load(entry + 4, as: UInt32.self)))
            free += chains.removeValue(forKey: identifier) ?? []
            seen &+= 1
        }
        return all
    }

    func wantsNotification() throws -> Bool {
        defer { addedWhenAsked = added }
        guard hasEventIndex else { return try ram.memory.load(areas.device, as: UInt16.self) & 1 == 0 }
        let event = try ram.memory.load(areas.device + 4 + 8 * UInt64(size), as: UInt16.self)
        return added &- event &- 1 < added &- addedWhenAsked
    }

    func setInterrupts(_ wanted: InterruptWish) throws {
        switch wanted {
        // Without the flag: an index that was just passed.
        case .never where hasEventIndex: try ram.memory.store(areas.driver + 4 + 2 * UInt64(size), seen &- 1)
        case .never: try ram.memory.store(areas.driver, UInt16(1))
        case .always where hasEventIndex: try ram.memory.store(areas.driver + 4 + 2 * UInt64(size), seen)
        case .always: try ram.memory.store(areas.driver, UInt16(0))
        case .after(let count): try ram.memory.store(areas.driver + 4 + 2 * UInt64(size), seen &+ count)
        }
    }
}
