// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CGuestMemory

/// Little-endian integers, which is what both sides of a virtio 1 device and this processor use.
extension GuestMemory {
    /// Reads an integer: by one access of the processor's if it is aligned and not wider than 64 bits.
    public func load<Number: FixedWidthInteger>(_ gpa: UInt64, as type: Number.Type) throws(GuestMemoryError) -> Number
    {
        let width = MemoryLayout<Number>.size
        let range = unsafe try hostRange(gpa, width)
        guard let at = range.baseAddress else { throw .outside(gpa: gpa, count: width) }
        guard gpa & UInt64(width - 1) == 0, UInt(bitPattern: at) & UInt(width - 1) == 0 else {
            return unsafe Number(littleEndian: range.loadUnaligned(as: Number.self))
        }
        switch width {
        case 1: return unsafe Number(truncatingIfNeeded: lkx_guest_load8(at))
        case 2: return unsafe Number(truncatingIfNeeded: lkx_guest_load16(at))
        case 4: return unsafe Number(truncatingIfNeeded: lkx_guest_load32(at))
        case 8: return unsafe Number(truncatingIfNeeded: lkx_guest_load64(at))
        default: return unsafe Number(littleEndian: range.loadUnaligned(as: Number.self))
        }
    }

    /// Writes an integer: by one access of the processor's if it is aligned and not wider than 64 bits.
    public func store<Number: FixedWidthInteger>(_ gpa: UInt64, _ value: Number) throws(GuestMemoryError) {
        let width = MemoryLayout<Number>.size
        let range = unsafe try hostRange(gpa, width)
        guard let at = range.baseAddress else { throw .outside(gpa: gpa, count: width) }
        guard gpa & UInt64(width - 1) == 0, UInt(bitPattern: at) & UInt(width - 1) == 0 else {
            unsafe range.storeBytes(of: value.littleEndian, as: Number.self)
            return
        }
        switch width {
        case 1: unsafe lkx_guest_store8(at, UInt8(truncatingIfNeeded: value))
        case 2: unsafe lkx_guest_store16(at, UInt16(truncatingIfNeeded: value))
        case 4: unsafe lkx_guest_store32(at, UInt32(truncatingIfNeeded: value))
        case 8: unsafe lkx_guest_store64(at, UInt64(truncatingIfNeeded: value))
        default: unsafe range.storeBytes(of: value.littleEndian, as: Number.self)
        }
    }

    /// Reads an index of a ring: what the other side wrote before it stored this is seen by what is read after.
    public func loadAcquire(_ gpa: UInt64) throws(GuestMemoryError) -> UInt16 {
        unsafe lkx_guest_load16_acquire(try aligned16(gpa))
    }

    /// Writes an index of a ring: who sees it sees all that was written before.
    public func storeRelease(_ gpa: UInt64, _ value: UInt16) throws(GuestMemoryError) {
        unsafe lkx_guest_store16_release(try aligned16(gpa), value)
    }

    /// What was stored before is seen by the guest before anything is read after this.
    public func barrier() { lkx_guest_barrier() }

    @unsafe private func aligned16(_ gpa: UInt64) throws(GuestMemoryError) -> UnsafeMutableRawPointer {
        let range = unsafe try hostRange(gpa, 2)
        guard let at = range.baseAddress, UInt(bitPattern: at) & 1 == 0 else {
            throw .misaligned(gpa: gpa, width: 2)
        }
        return unsafe at
    }
}
