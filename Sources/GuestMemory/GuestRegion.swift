// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// One piece of guest memory: where the guest sees it, and where it is mapped in this process.
@safe public struct GuestRegion: @unchecked Sendable {
    /// What the pages are of, which decides how they are given back.
    public enum Backing: Sendable {
        /// A private, anonymous mapping.
        case anonymous
        /// A shared mapping of a memfd (or of another file that can have holes).
        case sharedFile
    }

    /// The guest physical address of the first byte.
    public let gpa: UInt64
    /// Bytes.
    public let count: UInt64
    public let backing: Backing
    @unsafe public let base: UnsafeMutableRawPointer

    /// A region over a mapping that exists already. Whoever makes it keeps it mapped, readable and writable, for as long as the
    /// `GuestMemory` is used.
    @unsafe public init(gpa: UInt64, count: UInt64, base: UnsafeMutableRawPointer, backing: Backing = .anonymous) {
        self.gpa = gpa
        self.count = count
        self.backing = backing
        unsafe self.base = base
    }

    /// Whether `length` bytes from a guest address on are all in here.
    public func contains(_ address: UInt64, _ length: Int) -> Bool {
        guard address >= gpa, length >= 0 else { return false }
        let offset = address &- gpa
        return offset <= count && UInt64(length) <= count &- offset
    }
}
