// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import GuestMemory

/// A packed ring. Virtio 1.2, 2.8
public final class PackedQueue: Virtqueue {
    private let memory: GuestMemory
    private let layout: QueueLayout
    private let hasIndirect: Bool
    private let hasEventIndex: Bool
    /// Where the next chain begins, and where the next one is given back, each with its lap's wrap counter.
    private var available = Position()
    private var used = Position()
    /// Slots given back since an interrupt was last asked for, at most the ring's size.
    private var usedSinceAsked: UInt16 = 0
    /// Slots taken and not given back.
    private var outstanding: UInt16 = 0

    private struct Position {
        var slot: UInt16 = 0
        var wrap = true

        mutating func advance(_ count: UInt16, size: UInt16) {
            slot += count
            if slot >= size {
                slot -= size
                wrap.toggle()
            }
        }
    }

    private static let (availableBit, usedBit): (UInt16, UInt16) = (1 << 7, 1 << 15)
    /// Of an event suppression area: notify always, never, or at a position.
    private enum Event {
        static let (always, never, atPosition): (UInt16, UInt16, UInt16) = (0, 1, 2)
    }

    public init(_ layout: QueueLayout, number: Int, memory: GuestMemory, features: UInt64) throws(VirtioError) {
        let size = Int(layout.size)
        guard size > 0, size <= 32768 else { throw .queueSize(queue: number, size: UInt32(size)) }
        try layout.check(
            queue: number, memory, [(layout.descriptors, 16 * size, 16), (layout.driver, 4, 4), (layout.device, 4, 4)])
        self.memory = memory
        self.layout = layout
        hasIndirect = features & VirtioFeature.indirect != 0
        hasEventIndex = features & VirtioFeature.eventIndex != 0
    }

    public func next() throws(VirtioError) -> DescriptorChain? {
        if try !isAvailable(available) {
            guard hasEventIndex else { return nil }
            let position = available.slot | (available.wrap ? 1 << 15 : 0)
            try reaching { () throws(GuestMemoryError) in
                try memory.store(layout.device, position)
                try memory.storeRelease(layout.device &+ 2, Event.atPosition)
            }
            memory.barrier()
            guard try isAvailable(available) else { return nil }
        }
        return try walk()
    }

    private func isAvailable(_ position: Position) throws(VirtioError) -> Bool {
        let flags = try reaching { () throws(GuestMemoryError) in try memory.loadAcquire(address(position.slot) &+ 14) }
        let (isAvailable, isUsed) = (flags & Self.availableBit != 0, flags & Self.usedBit != 0)
        return isAvailable == position.wrap && isUsed != position.wrap
    }

    private func address(_ slot: UInt16) -> UInt64 { layout.descriptors &+ UInt64(slot) * Descriptor.size }

    private func walk() throws(VirtioError) -> DescriptorChain {
        var builder = ChainBuilder(memory)
        var position = available
        // What is in the ring and not given back can't be available again.
        for slot in 0..<layout.size - outstanding {
            let slots = slot + 1
            let descriptor = try reaching { () throws(GuestMemoryError) in
                try Descriptor(packed: address(position.slot), memory)
            }
            if descriptor.has(Descriptor.indirect) {
                guard hasIndirect, !descriptor.has(Descriptor.next), slots == 1 else { throw .badIndirect }
                try walkTable(descriptor, &builder)
            } else {
                try builder.add(descriptor)
            }
            position.advance(1, size: layout.size)
            if !descriptor.has(Descriptor.next) {
                available = position
                outstanding += slots
                // Of a chain, the last one has the ID.
                return builder.chain(descriptor.next, slots: slots)
            }
        }
        throw .chainTooLong
    }

    private func walkTable(_ table: Descriptor, _ builder: inout ChainBuilder) throws(VirtioError) {
        let count = table.length / UInt32(Descriptor.size)
        guard table.length % UInt32(Descriptor.size) == 0, count > 0 else { throw .badIndirect }
        for index in 0..<UInt64(count) {
            let descriptor = try reaching { () throws(GuestMemoryError) in
                try Descriptor(packed: table.address &+ index * Descriptor.size, memory)
            }
            guard !descriptor.has(Descriptor.indirect) else { throw .badIndirect }
            try builder.add(descriptor)
        }
    }

    public func complete(_ chain: DescriptorChain, written: Int) throws(VirtioError) {
        let entry = address(used.slot)
        var flags: UInt16 = used.wrap ? Self.availableBit | Self.usedBit : 0
        if written > 0 { flags |= Descriptor.write }
        used.advance(chain.slots, size: layout.size)
        usedSinceAsked += min(chain.slots, layout.size - usedSinceAsked)
        outstanding -= min(outstanding, chain.slots)
        try reaching { () throws(GuestMemoryError) in
            try memory.store(entry &+ 8, UInt32(clamping: written))
            try memory.store(entry &+ 12, chain.identifier)
            try memory.storeRelease(entry &+ 14, flags)
        }
    }

    public func takeInterrupt() throws(VirtioError) -> Bool {
        let count = usedSinceAsked
        usedSinceAsked = 0
        guard count > 0 else { return false }
        memory.barrier()
        let flags = try reaching { () throws(GuestMemoryError) in try memory.loadAcquire(layout.driver &+ 2) }
        guard flags & 3 == Event.atPosition, hasEventIndex else { return flags & 3 != Event.never }
        let wanted = try reaching { () throws(GuestMemoryError) in try memory.load(layout.driver, as: UInt16.self) }
        // How many slots the position is behind where the next chain is given back.
        let isSameLap = (wanted >> 15 != 0) == used.wrap
        let distance = Int(used.slot) - Int(wanted & 0x7FFF) + (isSameLap ? 0 : Int(layout.size))
        return distance > 0 && distance <= Int(count)
    }
}
