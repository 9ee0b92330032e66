// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What kind of access a guest-physical address is translated for.
public struct EPTAccess: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let read = EPTAccess(rawValue: 1)
    public static let write = EPTAccess(rawValue: 2)
    public static let execute = EPTAccess(rawValue: 4)
    public static let all: EPTAccess = [.read, .write, .execute]
}

/// What an access was for, which decides bits 7 and 8 of the qualification. SDM vol. 3, table 28-7.
public enum EPTPurpose: Sendable, Equatable {
    /// An access to what a linear address translates to.
    case linear(UInt64)
    /// An access to a paging structure on the way to translate a linear address.
    case tableWalk(UInt64)
    /// Neither: page-directory pointers loaded by MOV to CR3.
    case noLinear
}

/// Ways in which an EPT entry can be one that no processor takes. SDM vol. 3, 29.3.3.1.
public enum EPTMisconfiguration: Sendable, Equatable, CaseIterable {
    /// Bits 2:0 are 010 or 110: writable but not readable.
    case writableNotReadable
    /// Bits 2:0 are 100 on a processor without execute-only translations.
    case executeOnly
    /// A bit that must be 0 isn't, in an entry that names a table.
    case reservedInTable
    /// The same in an entry that maps a page, such as an address that isn't the page size's multiple.
    case reservedInPage
    /// An address beyond the processor's.
    case addressWidth
    /// Memory type 2, 3 or 7.
    case memoryType
}

/// How a translation through EPT ended.
public enum EPTOutcome: Sendable, Equatable {
    case translated(EPTMapping)
    /// EPT violation: the exit qualification, without bit 12.
    case violation(qualification: UInt64)
    case misconfiguration(EPTMisconfiguration, level: Int)
    /// A flag would have to be set, and the page-modification log has no room.
    case logFull
}

/// A guest-physical page's translation, as it may be cached. SDM vol. 3, 29.4.1 "guest-physical mappings".
public struct EPTMapping: Sendable, Equatable {
    /// Where the page that contains the address begins in the machine's memory.
    public var base: UInt64
    /// log2 of the page's size: 12, 21 or 30.
    public var shift: UInt8
    /// The AND of every entry on the way.
    public var access: EPTAccess
    /// Whether the dirty flag of the entry is known to be set; true where there are none.
    public var isDirty: Bool
    public var memoryType: UInt8

    public func physical(_ guestPhysical: UInt64) -> UInt64 { base | guestPhysical & (1 << UInt64(shift) - 1) }
}
