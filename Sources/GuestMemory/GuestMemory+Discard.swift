// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

extension GuestMemory {
    /// The host's pages, and the unit of `discard`.
    public static let pageSize: UInt64 = 4096

    /// Gives whole pages back to the host; they read as zero afterwards. The part of a page at either end stays.
    ///
    /// madvise(2): MADV_DONTNEED for anonymous memory, MADV_REMOVE for a file's, which only then loses them too.
    public func discard(_ gpa: UInt64, count: Int) throws(GuestMemoryError) {
        guard let region = region(gpa, count) else { throw .outside(gpa: gpa, count: count) }
        let mask = Self.pageSize - 1
        // In the host: a region may begin anywhere in the guest.
        let start = UInt64(UInt(bitPattern: unsafe region.base)) &+ (gpa &- region.gpa)
        let first = (start &+ mask) & ~mask
        let end = (start &+ UInt64(count)) & ~mask
        guard first < end else { return }
        // MADV_REMOVE of <asm-generic/mman-common.h>
        let advice = region.backing == .anonymous ? MADV_DONTNEED : 9
        guard unsafe madvise(UnsafeMutableRawPointer(bitPattern: UInt(first)), Int(end &- first), advice) == 0 else {
            throw .discard(gpa: gpa, count: count, errno: errno)
        }
    }
}
