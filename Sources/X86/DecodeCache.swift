// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Decoded instructions by linear address.
///
/// An entry is used only while memory still holds the bytes it was decoded from, which costs two loads and compares an
/// instruction and makes every way of changing code right: stores, other processors, devices, the embedder, page tables.
@safe struct DecodeCache: ~Copyable {
    struct Entry {
        /// The linear address, and the code size in the top byte (no canonical address uses both that way).
        var tag: UInt64 = .max
        /// The instruction's bytes, little-endian, and ones where they count.
        var low: UInt64 = 0
        var lowMask: UInt64 = 0
        var high: UInt64 = 0
        var highMask: UInt64 = 0
        var instruction = Instruction()
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let mask: UInt64

    init(capacity: Int) {
        precondition(capacity & (capacity - 1) == 0)
        unsafe entries = .allocate(capacity: capacity)
        unsafe entries.initialize(repeating: Entry(), count: capacity)
        mask = UInt64(capacity - 1)
    }

    deinit { unsafe entries.deallocate() }

    @inline(__always)
    func slot(_ linear: UInt64) -> UnsafeMutablePointer<Entry> {
        // The mask keeps the index within what `init` allocated.
        unsafe entries + Int(truncatingIfNeeded: (linear ^ (linear >> 12)) & mask)
    }

    @inline(__always)
    static func tag(_ linear: UInt64, _ codeSize: UInt8) -> UInt64 { linear ^ (UInt64(codeSize) << 52) }
}
