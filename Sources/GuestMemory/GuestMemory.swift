// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A guest's memory as its devices see it: every access is checked, whatever address the guest gave, and none ever traps.
///
/// The regions never change, so any thread may use it without a lock; the guest's processors write to it at the same time anyway,
/// which is why a value that is checked must be read once.
@safe public final class GuestMemory: Sendable {
    /// By ascending address.
    public let regions: [GuestRegion]

    public init(_ regions: [GuestRegion]) throws(GuestMemoryError) {
        let sorted = regions.sorted { $0.gpa < $1.gpa }
        for (index, region) in sorted.enumerated() {
            // Sizes must be an Int for what maps and copies them.
            guard region.count > 0, region.count <= UInt64(Int.max), region.gpa <= UInt64.max - (region.count - 1)
            else {
                throw .badRegion(gpa: region.gpa, count: region.count)
            }
            if index > 0, region.gpa - sorted[index - 1].gpa < sorted[index - 1].count {
                throw .overlap(gpa: region.gpa, other: sorted[index - 1].gpa)
            }
        }
        self.regions = sorted
    }

    /// Bytes in all regions together.
    public var count: UInt64 { regions.reduce(0) { $0 &+ $1.count } }

    /// The region that has all of these bytes.
    public func region(_ gpa: UInt64, _ count: Int) -> GuestRegion? {
        // Two or three regions: searching any better would cost more.
        for region in regions where region.contains(gpa, count) { return region }
        return nil
    }

    /// Whether `count` bytes from there on are all in one region.
    public func contains(_ gpa: UInt64, _ count: Int) -> Bool { region(gpa, count) != nil }

    /// Where these bytes are in this process. They change whenever the guest likes.
    @unsafe public func hostRange(_ gpa: UInt64, _ count: Int) throws(GuestMemoryError) -> UnsafeMutableRawBufferPointer
    {
        guard let region = region(gpa, count) else { throw .outside(gpa: gpa, count: count) }
        return unsafe UnsafeMutableRawBufferPointer(start: region.base + Int(gpa &- region.gpa), count: count)
    }

    /// Calls `body` with these bytes where they are in this process, for calls as preadv(2); they change whenever the guest likes.
    public func withHostRange<Result>(
        _ gpa: UInt64, _ count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Result
    ) throws(GuestMemoryError) -> Result {
        unsafe body(try hostRange(gpa, count))
    }

    /// Copies guest memory out, as many bytes as the buffer has.
    public func read(_ gpa: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryError) {
        let range = unsafe try hostRange(gpa, buffer.count)
        unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(range))
    }

    /// Copies bytes into guest memory: all of them or none.
    public func write(_ gpa: UInt64, from buffer: UnsafeRawBufferPointer) throws(GuestMemoryError) {
        let range = unsafe try hostRange(gpa, buffer.count)
        unsafe range.copyMemory(from: buffer)
    }

    /// A copy of `count` bytes. The count must be one that the caller has bounded: it is allocated.
    public func read(_ gpa: UInt64, count: Int) throws(GuestMemoryError) -> [UInt8] {
        let range = unsafe try hostRange(gpa, count)
        return unsafe [UInt8](range)
    }

    public func write(_ gpa: UInt64, _ bytes: [UInt8]) throws(GuestMemoryError) {
        let range = unsafe try hostRange(gpa, bytes.count)
        unsafe range.copyBytes(from: bytes)
    }

    public func fill(_ gpa: UInt64, count: Int, _ byte: UInt8) throws(GuestMemoryError) {
        let range = unsafe try hostRange(gpa, count)
        _ = unsafe range.initializeMemory(as: UInt8.self, repeating: byte)
    }
}
