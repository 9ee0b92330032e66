// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMSys
import CLikexHW

/// The VMM's memory: this process's.
enum UserMemory {
    @unsafe static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(address))
    }

    /// Copies from it; false where not all of it can be read.
    static func copy(from address: UInt64, to: UnsafeMutableRawPointer, count: Int) -> Bool {
        guard count > 0 else { return true }
        return unsafe isUserSpace(address, count) && lkx_sys_read_memory(address, to, count)
    }

    /// Copies to it; false where not all of it can be written.
    static func copy(from: UnsafeRawPointer, to address: UInt64, count: Int) -> Bool {
        guard count > 0 else { return true }
        return unsafe isUserSpace(address, count) && lkx_sys_write_memory(address, from, count)
    }

    /// Makes one page present as a load or a store there would; false where that would be a signal.
    static func populate(_ address: UInt64, write: Bool) -> Bool {
        isUserSpace(address, 1) && lkx_sys_populate(address & ~0xFFF, write)
    }

    /// Sets words (plat_pages_near) for the pages from an address on that a module would find present: what this process has written is there
    /// and its own, and may be written again where its protection allows.
    static func findPresent(from address: UInt64, _ words: UnsafeMutableBufferPointer<UInt64>) {
        unsafe withUnsafeTemporaryAllocation(of: Bool.self, capacity: words.count) { own in
            guard let found = own.baseAddress, isUserSpace(address, words.count << 12) else { return }
            unsafe lkx_sys_find_own(address, words.count, found)
            for index in 0..<words.count where unsafe own[index] {
                let page = address + UInt64(index) << 12
                // It is there: this changes nothing but an entry that was write-protected for no reason.
                let isWritable = lkx_sys_populate(page, true)
                unsafe words[index] = page | PLAT_NEAR_PRESENT | (isWritable ? PLAT_NEAR_WRITABLE : 0)
            }
        }
    }

    /// Whether the 2 MiB around an address are all there, this process's own, and may be written.
    static func isWholeLargePage(_ address: UInt64) -> Bool {
        let pages = Int(LKX_SYS_OWN_PAGES)
        let first = address & ~UInt64(pages << 12 - 1)
        return unsafe withUnsafeTemporaryAllocation(of: Bool.self, capacity: pages) { own in
            guard let found = own.baseAddress else { return false }
            unsafe lkx_sys_find_own(first, pages, found)
            return unsafe own.allSatisfy { $0 } && (0..<UInt64(pages)).allSatisfy { lkx_sys_populate(first + $0 << 12, true) }
        }
    }

    private static func isUserSpace(_ address: UInt64, _ count: Int) -> Bool {
        let end = address.addingReportingOverflow(UInt64(count) - 1)
        return !end.overflow && end.partialValue >> 47 == 0
    }

    /// Reads a struct that an ioctl was given; nil for -EFAULT.
    static func read<Value: BitwiseCopyable>(_ address: UInt, as type: Value.Type) -> Value? {
        unsafe withUnsafeTemporaryAllocation(byteCount: MemoryLayout<Value>.size, alignment: MemoryLayout<Value>.alignment) {
            guard let room = $0.baseAddress,
                unsafe copy(from: UInt64(address), to: room, count: MemoryLayout<Value>.size)
            else { return nil }
            return unsafe room.load(as: type)
        }
    }

    /// Writes one; false for -EFAULT.
    static func write<Value: BitwiseCopyable>(_ value: Value, _ address: UInt) -> Bool {
        unsafe withUnsafeBytes(of: value) {
            guard let from = $0.baseAddress else { return true }
            return unsafe copy(from: from, to: UInt64(address), count: MemoryLayout<Value>.size)
        }
    }
}
