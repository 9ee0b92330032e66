// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

/// One request of a driver's: what the device may read, and what it may write, all of it in guest memory.
public struct DescriptorChain: Equatable, Sendable {
    /// What the driver knows it by: the head's index in a split ring, the buffer ID in a packed one.
    let identifier: UInt16
    /// Descriptors of the ring itself that it takes: what a packed ring's device skips.
    fileprivate(set) var slots: UInt16 = 1
    public internal(set) var readable = GuestRanges()
    public internal(set) var writable = GuestRanges()
}

/// A descriptor, as both kinds of ring have it. Virtio 1.2, 2.7.5 and 2.8.13
struct Descriptor {
    static let size: UInt64 = 16
    static let (next, write, indirect): (UInt16, UInt16, UInt16) = (1, 2, 4)
    /// No chain has more, whatever its tables say: they are in the guest's memory, and a list of them is in ours.
    static let mostInChain = 1024

    let address: UInt64
    let length: UInt32
    let flags: UInt16
    /// The next descriptor's index, or in a packed ring nothing.
    let next: UInt16

    /// Reads one of a split ring's kind; `flags` come before `next`.
    init(split gpa: UInt64, _ memory: GuestMemory) throws(GuestMemoryError) {
        address = try memory.load(gpa, as: UInt64.self)
        let rest = try memory.load(gpa &+ 8, as: UInt64.self)
        length = UInt32(truncatingIfNeeded: rest)
        flags = UInt16(truncatingIfNeeded: rest >> 32)
        next = UInt16(truncatingIfNeeded: rest >> 48)
    }

    /// Reads one of a packed ring's kind, whose flags are last; here `next` is the buffer ID.
    init(packed gpa: UInt64, _ memory: GuestMemory) throws(GuestMemoryError) {
        address = try memory.load(gpa, as: UInt64.self)
        let rest = try memory.load(gpa &+ 8, as: UInt64.self)
        length = UInt32(truncatingIfNeeded: rest)
        next = UInt16(truncatingIfNeeded: rest >> 32)
        flags = UInt16(truncatingIfNeeded: rest >> 48)
    }

    func has(_ flag: UInt16) -> Bool { flags & flag != 0 }
}

/// Puts a chain together, descriptor by descriptor, and looks whether each may be there.
struct ChainBuilder {
    private(set) var readable = GuestRanges()
    private(set) var writable = GuestRanges()
    private var descriptors = 0
    private let memory: GuestMemory

    init(_ memory: GuestMemory) { self.memory = memory }

    mutating func add(_ descriptor: Descriptor) throws(VirtioError) {
        descriptors += 1
        guard descriptors <= Descriptor.mostInChain else { throw .chainTooLong }
        let count = Int(descriptor.length)
        guard memory.contains(descriptor.address, count) else {
            throw .memory(.outside(gpa: descriptor.address, count: count))
        }
        let isWritable = descriptor.has(Descriptor.write)
        if !isWritable, !writable.ranges.isEmpty { throw .readableAfterWritable }
        guard readable.count + writable.count + count <= Int(UInt32.max) else { throw .chainTooLarge }
        guard count > 0 else { return }
        let range = GuestRange(gpa: descriptor.address, count: count)
        if isWritable { writable.append(range) } else { readable.append(range) }
    }

    func chain(_ identifier: UInt16, slots: UInt16) -> DescriptorChain {
        DescriptorChain(identifier: identifier, slots: slots, readable: readable, writable: writable)
    }
}
