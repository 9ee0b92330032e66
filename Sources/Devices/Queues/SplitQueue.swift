// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import GuestMemory

/// A split ring. Virtio 1.2, 2.7
public final class SplitQueue: Virtqueue {
    private let memory: GuestMemory
    private let layout: QueueLayout
    private let hasIndirect: Bool
    private let hasEventIndex: Bool
    /// Chains taken and given back, modulo 2^16, as the indices in the rings count.
    private var taken: UInt16 = 0
    private var used: UInt16 = 0
    private var usedWhenAsked: UInt16 = 0

    /// - Throws: what is wrong with the size or with where the areas are.
    public init(
        _ layout: QueueLayout, number: Int, memory: GuestMemory, features: UInt64
    ) throws(VirtioError) {
        let size = Int(layout.size)
        guard size > 0, size <= 32768, size & (size - 1) == 0 else {
            throw .queueSize(queue: number, size: UInt32(size))
        }
        // With the words that the event index takes, which are there without it too.
        try layout.check(
            queue: number, memory,
            [(layout.descriptors, 16 * size, 16), (layout.driver, 6 + 2 * size, 2), (layout.device, 6 + 8 * size, 4)])
        self.memory = memory
        self.layout = layout
        hasIndirect = features & VirtioFeature.indirect != 0
        hasEventIndex = features & VirtioFeature.eventIndex != 0
    }

    private var mask: UInt16 { layout.size &- 1 }
    private var usedEventAddress: UInt64 { layout.driver &+ 4 &+ 2 * UInt64(layout.size) }
    private var availableEventAddress: UInt64 { layout.device &+ 4 &+ 8 * UInt64(layout.size) }

    public func next() throws(VirtioError) -> DescriptorChain? {
        var available = try availableIndex()
        if available == taken {
            guard hasEventIndex else { return nil }
            // The driver compares with this; what it made available meanwhile, it may not have told.
            try reaching { () throws(GuestMemoryError) in try memory.storeRelease(availableEventAddress, taken) }
            memory.barrier()
            available = try availableIndex()
            if available == taken { return nil }
        }
        guard available &- taken <= layout.size else { throw .tooManyAvailable(available &- taken) }
        let slot = layout.driver &+ 4 &+ 2 * UInt64(taken & mask)
        let head = try reaching { () throws(GuestMemoryError) in try memory.load(slot, as: UInt16.self) }
        let chain = try walk(head)
        taken &+= 1
        return chain
    }

    private func availableIndex() throws(VirtioError) -> UInt16 {
        try reaching { () throws(GuestMemoryError) in try memory.loadAcquire(layout.driver &+ 2) }
    }

    private func walk(_ head: UInt16) throws(VirtioError) -> DescriptorChain {
        var builder = ChainBuilder(memory)
        var index = head
        // A chain that is longer than its table has a loop.
        for _ in 0..<layout.size {
            let descriptor = try descriptor(index, table: layout.descriptors, count: UInt32(layout.size))
            if descriptor.has(Descriptor.indirect) {
                guard hasIndirect, !descriptor.has(Descriptor.next) else { throw .badIndirect }
                try walkTable(descriptor, &builder)
                return builder.chain(head, slots: 1)
            }
            try builder.add(descriptor)
            guard descriptor.has(Descriptor.next) else { return builder.chain(head, slots: 1) }
            index = descriptor.next
        }
        throw .chainTooLong
    }

    private func walkTable(_ table: Descriptor, _ builder: inout ChainBuilder) throws(VirtioError) {
        let count = table.length / UInt32(Descriptor.size)
        guard table.length % UInt32(Descriptor.size) == 0, count > 0 else { throw .badIndirect }
        guard memory.contains(table.address, Int(table.length)) else {
            throw .memory(.outside(gpa: table.address, count: Int(table.length)))
        }
        var index: UInt16 = 0
        while true {
            let descriptor = try descriptor(index, table: table.address, count: count)
            guard !descriptor.has(Descriptor.indirect) else { throw .badIndirect }
            // The builder's limit ends a loop.
            try builder.add(descriptor)
            guard descriptor.has(Descriptor.next) else { return }
            index = descriptor.next
        }
    }

    private func descriptor(_ index: UInt16, table: UInt64, count: UInt32) throws(VirtioError) -> Descriptor {
        guard UInt32(index) < count else { throw .badIndex(UInt32(index)) }
        return try reaching { () throws(GuestMemoryError) in
            try Descriptor(split: table &+ UInt64(index) * Descriptor.size, memory)
        }
    }

    public func complete(_ chain: DescriptorChain, written: Int) throws(VirtioError) {
        let entry = layout.device &+ 4 &+ 8 * UInt64(used & mask)
        used &+= 1
        try reaching { () throws(GuestMemoryError) in
            try memory.store(entry, UInt32(chain.identifier))
            try memory.store(entry &+ 4, UInt32(clamping: written))
            try memory.storeRelease(layout.device &+ 2, used)
        }
    }

    public func takeInterrupt() throws(VirtioError) -> Bool {
        let before = usedWhenAsked
        usedWhenAsked = used
        guard used != before else { return false }
        // The driver enables interrupts and looks at the index again; here it is the other way round.
        memory.barrier()
        guard hasEventIndex else {
            return try reaching { () throws(GuestMemoryError) in
                try memory.load(layout.driver, as: UInt16.self) & 1 == 0
            }
        }
        let event = try reaching { () throws(GuestMemoryError) in try memory.load(usedEventAddress, as: UInt16.self) }
        return used &- event &- 1 < used &- before
    }
}
