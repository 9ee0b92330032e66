// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import GuestMemory

/// A guest's memory with an allocator that only goes up.
@safe final class GuestRAM {
    static let base: UInt64 = 0x10_0000
    static let count = 4 << 20

    let memory: GuestMemory
    private let mapping: UnsafeMutableRawPointer
    private var next = GuestRAM.base

    init() throws {
        guard let map = unsafe mmap(nil, Self.count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            unsafe map != MAP_FAILED
        else { fatalError("mmap: errno \(errno)") }
        unsafe mapping = map
        memory = try unsafe GuestMemory([GuestRegion(gpa: Self.base, count: UInt64(Self.count), base: map)])
    }

    deinit { _ = unsafe munmap(mapping, Self.count) }

    func allocate(_ count: Int, alignment: UInt64 = 16) -> UInt64 {
        next = (next + alignment - 1) & ~(alignment - 1)
        defer { next += UInt64(count) }
        precondition(next + UInt64(count) <= Self.base + UInt64(Self.count), "the test's guest has no memory left")
        return next
    }

    func place(_ bytes: [UInt8]) throws -> UInt64 {
        let gpa = allocate(max(1, bytes.count))
        try memory.write(gpa, bytes)
        return gpa
    }
}
