// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

@testable import GuestMemory

/// A file in memory that nobody else sees.
private func openTemporary() -> Int32 {
    var path = Array("/dev/shm/guest-memory-XXXXXX".utf8CString)
    let file = unsafe mkstemp(&path)
    if file >= 0 { _ = unsafe unlink(path) }
    return file
}

/// Guest memory in two regions with a gap, in one mapping with a page on either side that nobody may touch.
@safe final class TestMemory {
    static let low = UInt64(0x1000)
    static let high = UInt64(0x10_0000)
    static let count = UInt64(0x4000)

    let memory: GuestMemory
    private let mapping: UnsafeMutableRawPointer
    private let length = 4096 * 3 + Int(TestMemory.count) * 2

    init(backing: GuestRegion.Backing = .anonymous) throws {
        let file: Int32 = backing == .sharedFile ? openTemporary() : -1
        if file >= 0 { _ = ftruncate(file, off_t(length)) }
        let flags = file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS
        guard let map = unsafe mmap(nil, length, PROT_READ | PROT_WRITE, flags, file, 0), unsafe map != MAP_FAILED
        else {
            fatalError("mmap: errno \(errno)")
        }
        if file >= 0 { close(file) }
        unsafe mapping = map
        for guarded in [0, 4096 + Int(Self.count), 8192 + 2 * Int(Self.count)] {
            _ = unsafe mprotect(map + guarded, 4096, PROT_NONE)
        }
        memory = try unsafe GuestMemory([
            GuestRegion(gpa: Self.high, count: Self.count, base: map + 8192 + Int(Self.count), backing: backing),
            GuestRegion(gpa: Self.low, count: Self.count, base: map + 4096, backing: backing),
        ])
    }

    deinit { _ = unsafe munmap(mapping, length) }
}
