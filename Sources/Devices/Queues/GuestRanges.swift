// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

/// Some bytes of guest memory that are in one region.
public struct GuestRange: Equatable, Sendable {
    public var gpa: UInt64
    public var count: Int
}

/// The buffers of a chain one after the other, as one sequence of bytes. All are in guest memory: who made it has looked.
public struct GuestRanges: Equatable, Sendable {
    public private(set) var ranges: [GuestRange] = []
    /// Bytes in all of them; less than 2^32.
    public private(set) var count = 0

    mutating func append(_ range: GuestRange) {
        ranges.append(range)
        count += range.count
    }

    /// Removes the first bytes: as many as there are, if there are fewer.
    mutating func takeFirst(_ wanted: Int) -> GuestRanges {
        var taken = GuestRanges()
        var rest = GuestRanges()
        for range in ranges {
            let part = max(0, min(range.count, wanted - taken.count))
            if part > 0 { taken.append(GuestRange(gpa: range.gpa, count: part)) }
            if part < range.count { rest.append(GuestRange(gpa: range.gpa &+ UInt64(part), count: range.count - part)) }
        }
        self = rest
        return taken
    }

    /// A copy of all bytes. Whoever calls has bounded their count: it is allocated.
    func read(_ memory: GuestMemory) throws(VirtioError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for range in ranges {
            bytes += try reaching { () throws(GuestMemoryError) in try memory.read(range.gpa, count: range.count) }
        }
        return bytes
    }

    /// Fills the first bytes; returns how many there was room for.
    func write(_ bytes: [UInt8], _ memory: GuestMemory) throws(VirtioError) -> Int {
        try write(bytes[...], memory)
    }

    func write(_ bytes: ArraySlice<UInt8>, _ memory: GuestMemory) throws(VirtioError) -> Int {
        var done = bytes.startIndex
        for range in ranges where done < bytes.endIndex {
            let part = min(range.count, bytes.endIndex - done)
            let slice = Array(bytes[done..<done + part])
            try reaching { () throws(GuestMemoryError) in try memory.write(range.gpa, slice) }
            done += part
        }
        return done - bytes.startIndex
    }
}
