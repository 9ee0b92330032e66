// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// The VMM's memory: this process's.
enum UserMemory {
    @unsafe static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(address))
    }

    /// Whether all of a range is mapped. msync(2), which says ENOMEM where it isn't
    static func isMapped(_ address: UInt64, _ count: UInt64) -> Bool {
        guard count > 0 else { return true }
        let first = address & ~0xFFF
        let end = address.addingReportingOverflow(count - 1)
        guard address != 0, !end.overflow, end.partialValue >> 47 == 0 else { return false }
        let length = (end.partialValue & ~0xFFF) - first + 4096
        return unsafe msync(pointer(first), Int(length), MS_ASYNC) == 0
    }

    /// Reads a struct that an ioctl was given; nil for -EFAULT.
    static func read<Value: BitwiseCopyable>(_ address: UInt, as type: Value.Type) -> Value? {
        guard isMapped(UInt64(address), UInt64(MemoryLayout<Value>.size)), let at = unsafe pointer(UInt64(address))
        else { return nil }
        return unsafe at.loadUnaligned(as: type)
    }

    /// Writes one; false for -EFAULT.
    static func write<Value: BitwiseCopyable>(_ value: Value, _ address: UInt) -> Bool {
        guard isMapped(UInt64(address), UInt64(MemoryLayout<Value>.size)), let at = unsafe pointer(UInt64(address))
        else { return false }
        unsafe withUnsafeBytes(of: value) {
            unsafe at.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(at), byteCount: MemoryLayout<Value>.size)
        }
        return true
    }
}
