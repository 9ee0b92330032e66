// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

final class PackedDriver: DriverRing {
    let ram: GuestRAM
    let size: UInt16
    let areas: (descriptors: UInt64, driver: UInt64, device: UInt64)
    private let hasEventIndex: Bool
    private var (nextFree, freeWrap) = (UInt16(0), true)
    private var (nextUsed, usedWrap) = (UInt16(0), true)
    private var freeSlots: UInt16
    private var identifiers: [UInt16]
    private var slots: [UInt16: UInt16] = [:]
    private var addedSinceAsked: UInt16 = 0

    init(_ ram: GuestRAM, size: UInt16, hasEventIndex: Bool) {
        (self.ram, self.size, self.hasEventIndex) = (ram, size, hasEventIndex)
        areas = (ram.allocate(16 * Int(size)), ram.allocate(4, alignment: 4), ram.allocate(4, alignment: 4))
        freeSlots = size
        identifiers = (0..<size).map { $0 &* 7 &+ 1000 }
    }

    func write(_ gpa: UInt64, _ buffer: Buffer, identifier: UInt16, flags: UInt16) throws {
        try ram.memory.store(gpa, buffer.gpa)
        try ram.memory.store(gpa + 8, buffer.count)
        try ram.memory.store(gpa + 12, identifier)
        try ram.memory.storeRelease(gpa + 14, flags | (buffer.isWritable ? 2 : 0))
    }

    func add(_ buffers: [Buffer], indirect: Bool) throws -> UInt16 {
        let count = indirect ? 1 : UInt16(buffers.count)
        guard freeSlots >= count, let identifier = identifiers.popLast() else { throw DriverError.full }
        var ring = buffers
        if indirect {
            let table = ram.allocate(16 * buffers.count)
            for (index, buffer) in buffers.enumerated() {
                try write(table + 16 * UInt64(index), buffer, identifier: 0xDEAD, flags: 0)
            }
            ring = [Buffer(gpa: table, count: UInt32(16 * buffers.count), isWritable: false)]
        }
        // The first one last: with it, all of them become available.
        var first: (UInt64, UInt16) = (0, 0)
        for (place, buffer) in ring.enumerated() {
            let gpa = areas.descriptors + 16 * UInt64(nextFree)
            let flags: UInt16 = (freeWrap ? 1 << 7 : 1 << 15) | (place + 1 < ring.count ? 1 : 0) | (indirect ? 4 : 0)
            if place == 0 {
                first = (gpa, flags)
                try write(
                    gpa, buffer, identifier: identifier, flags: try ram.memory.load(gpa + 14, as: UInt16.self) & ~2)
            } else {
                try write(gpa, buffer, identifier: identifier, flags: flags)
            }
            nextFree += 1
            if nextFree == size { (nextFree, freeWrap) = (0, !freeWrap) }
        }
        try ram.memory.storeRelease(first.0 + 14, first.1 | (ring[0].isWritable ? 2 : 0))
        freeSlots -= count
        slots[identifier] = count
        addedSinceAsked &+= count
        return identifier
    }

    func takeCompleted() throws -> [Completion] {
        var all: [Completion] = []
        while true {
            let gpa = areas.descriptors + 16 * UInt64(nextUsed)
            let flags = try ram.memory.loadAcquire(gpa + 14)
            guard (flags >> 7 & 1 != 0) == usedWrap, (flags >> 15 != 0) == usedWrap else { return all }
            let identifier = try ram.memory.load(gpa + 12, as: UInt16.self)
            let count = slots.removeValue(forKey: identifier) ?? 1
            all.append(
                Completion(
                    identifier: identifier, written: flags & 2 != 0 ? try ram.memory.load(gpa + 8, as: UInt32.self) : 0)
            )
            identifiers.append(identifier)
            freeSlots += count
            nextUsed += count
            if nextUsed >= size { (nextUsed, usedWrap) = (nextUsed - size, !usedWrap) }
        }
    }

    func wantsNotification() throws -> Bool {
        let added = addedSinceAsked
        addedSinceAsked = 0
        let position = try ram.memory.load(areas.device, as: UInt16.self)
        switch try ram.memory.load(areas.device + 2, as: UInt16.self) & 3 {
        case 0: return true
        case 1: return false
        default:
            // From which slot on, in slots before the next free one.
            var distance = Int(nextFree) - Int(position & 0x7FFF)
            if (position >> 15 != 0) != freeWrap { distance += Int(size) }
            return distance > 0 && distance <= Int(added)
        }
    }

    func setInterrupts(_ wanted: InterruptWish) throws {
        switch wanted {
        case .never: try ram.memory.store(areas.driver + 2, UInt16(1))
        case .always: try ram.memory.store(areas.driver + 2, UInt16(0))
        case .after(let count):
            let slot = nextUsed + count
            let (place, wrap) = slot >= size ? (slot - size, !usedWrap) : (slot, usedWrap)
            try ram.memory.store(areas.driver, place | (wrap ? 1 << 15 : 0))
            try ram.memory.store(areas.driver + 2, UInt16(2))
        }
    }
}
