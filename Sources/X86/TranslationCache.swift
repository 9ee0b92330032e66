// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// One translation of a 4 KiB linear page to memory of this process.
struct Translation {
    /// The linear page's address, with the context in the low 12 bits; all ones when empty.
    var tag: UInt64
    /// Host address minus linear address, so that adding the linear address gives the host's.
    var host: UInt
    var physicalPage: UInt64
    /// Bit `mode + access` is set when that access needs no further check; see `AccessMode`.
    var permissions: UInt16
    /// log2 of the size of the page that the guest's tables map.
    var sizeShift: UInt8
    var isGlobal: Bool

    static let empty = Translation(
        tag: .max, host: 0, physicalPage: 0, permissions: 0, sizeShift: 12, isGlobal: false)
}

/// First bit of each privilege's read, write and execute permission in `Translation.permissions`.
enum AccessMode {
    /// Supervisor, and user pages are barred if SMAP is on.
    static let supervisor: UInt16 = 0
    /// Supervisor with EFLAGS.AC set: SMAP doesn't apply.
    static let supervisorOverride: UInt16 = 3
    static let user: UInt16 = 6
    /// A mode whose permission bits are never set, so that every access takes the slow path (data breakpoints, alignment checks).
    static let checked: UInt16 = 9
}

/// The processor's TLB: real in that it gives stale translations until it is told to forget them.
///
/// Direct-mapped. The context (0 to 4094) separates address spaces whose translations may live side by side, such as those
/// of different VPIDs; the embedder sets it.
@safe public struct TranslationCache: ~Copyable {
    private let entries: UnsafeMutablePointer<Translation>
    private let mask: UInt64
    /// Or-ed into each tag.
    public internal(set) var context: UInt64 = 0
    private var hasLargePages = false
    private var isEmpty = true

    /// - Parameter capacity: number of translations, a power of two.
    init(capacity: Int) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "TLB capacity \(capacity) isn't a power of two")
        unsafe entries = .allocate(capacity: capacity)
        unsafe entries.initialize(repeating: .empty, count: capacity)
        mask = UInt64(capacity - 1)
    }

    deinit { unsafe entries.deallocate() }

    @inline(__always)
    func slot(_ linear: UInt64) -> UnsafeMutablePointer<Translation> {
        // The mask keeps the index within what `init` allocated.
        unsafe entries + Int(truncatingIfNeeded: (linear >> 12) & mask)
    }

    /// The host address for an access that needs no further check, or nil.
    @inline(__always)
    func lookup(_ linear: UInt64, size: UInt64, permission: UInt16) -> UnsafeMutableRawPointer? {
        let slot = unsafe slot(linear)
        // The page's tag, and an end beyond the page changes the comparison: both in one test.
        guard unsafe slot.pointee.tag == (linear & ~0xFFF) | context,
            unsafe slot.pointee.permissions & permission != 0,
            linear & 0xFFF <= 4096 - size
        else { return nil }
        return unsafe UnsafeMutableRawPointer(bitPattern: slot.pointee.host &+ UInt(linear))
    }

    mutating func insert(_ linear: UInt64, _ translation: Translation) {
        var translation = translation
        translation.tag = (linear & ~0xFFF) | context
        if translation.sizeShift > 12 { hasLargePages = true }
        isEmpty = false
        unsafe slot(linear).pointee = translation
    }

    /// Forgets the translations that `drop` picks; it gets the linear page, the context, the physical page and whether global.
    public mutating func forget(
        where drop: (_ linear: UInt64, _ context: UInt64, _ physical: UInt64, _ isGlobal: Bool) -> Bool
    ) {
        for index in 0...Int(mask) {
            let entry = unsafe entries[index]
            guard entry.tag != .max else { continue }
            if drop(entry.tag & ~0xFFF, entry.tag & 0xFFF, entry.physicalPage, entry.isGlobal) {
                unsafe entries[index] = .empty
            }
        }
    }

    /// Forgets everything, of every context.
    public mutating func forgetAll() {
        if isEmpty { return }
        isEmpty = true
        unsafe entries.update(repeating: .empty, count: Int(mask) + 1)
        hasLargePages = false
    }

    /// Forgets the current context's translations: those not global, or all.
    mutating func forgetContext(globalsToo: Bool) {
        let current = context
        forget { _, context, _, isGlobal in context == current && (globalsToo || !isGlobal) }
    }

    /// INVLPG: forgets the current context's translation of a linear address, for a large page all pieces of it.
    public mutating func forget(linear: UInt64) {
        let slot = unsafe slot(linear)
        if unsafe slot.pointee.tag == (linear & ~0xFFF) | context { unsafe slot.pointee = .empty }
        guard hasLargePages else { return }
        for index in 0...Int(mask) {
            let entry = unsafe entries[index]
            guard entry.tag != .max, entry.sizeShift > 12, entry.tag & 0xFFF == context else { continue }
            if entry.tag >> UInt64(entry.sizeShift) == linear >> UInt64(entry.sizeShift) {
                unsafe entries[index] = .empty
            }
        }
    }
}
