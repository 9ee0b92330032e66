// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

/// The device's side of a ring. Whatever is in the ring, it ends in a chain, in nothing or in an error; after an error the device stops.
public protocol Virtqueue: AnyObject {
    /// The next request, if there is one. Where there is none, the driver has been asked to notify of the next one.
    func next() throws(VirtioError) -> DescriptorChain?
    /// Gives a chain back: `written` bytes of its writable ones are filled from the first on.
    func complete(_ chain: DescriptorChain, written: Int) throws(VirtioError)
    /// Whether the driver wants an interrupt for what was completed since this was last asked.
    func takeInterrupt() throws(VirtioError) -> Bool
}

/// Where a driver has put a queue.
public struct QueueLayout: Equatable, Sendable {
    public var size: UInt16 = 0
    /// Split: descriptor table, available ring, used ring. Packed: descriptor ring, driver's and device's event suppression.
    public var descriptors: UInt64 = 0
    public var driver: UInt64 = 0
    public var device: UInt64 = 0

    /// Whether these areas, each with a size and an alignment, are in memory. Virtio 1.2, 2.7 and 2.8.10.1
    func check(queue: Int, _ memory: GuestMemory, _ areas: [(address: UInt64, count: Int, alignment: UInt64)])
        throws(VirtioError)
    {
        for area in areas {
            guard area.address % area.alignment == 0 else { throw .queueAlignment(queue: queue, address: area.address) }
            guard memory.contains(area.address, area.count) else {
                throw .memory(.outside(gpa: area.address, count: area.count))
            }
        }
    }
}
