// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the processor is attached to: physical memory, ports, and whatever answers CPUID and model-specific registers.
///
/// Nothing here is on the fast path. Pages of RAM are asked for once and kept in the processor's TLB as host addresses, so
/// a bus is called on a TLB miss, for device memory, and for instructions that leave the processor. A second level of
/// translation (EPT) lives behind `page(_:)`.
public protocol Bus: AnyObject {
    /// The host's memory behind one physical page.
    func page(_ request: PageRequest) -> PageAnswer

    /// Reads `size` (1, 2, 4 or 8) bytes of device memory; nil when the instruction can't go on now (`Outcome.refused`).
    func readDevice(_ physical: UInt64, size: Int) -> UInt64?
    /// Writes device memory; false when the instruction can't go on now.
    func writeDevice(_ physical: UInt64, size: Int, value: UInt64) -> Bool

    /// Reads a port of 1, 2 or 4 bytes; nil as in `readDevice`.
    func readPort(_ port: UInt16, size: Int) -> UInt32?
    /// Writes a port; false as in `writeDevice`.
    func writePort(_ port: UInt16, size: Int, value: UInt32) -> Bool

    func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult
    /// An MSR the processor doesn't hold itself; nil raises #GP(0).
    func readMSR(_ index: UInt32) -> UInt64?
    /// False raises #GP(0).
    func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool
    func timeStampCounter() -> UInt64
}

/// EAX, EBX, ECX and EDX of one CPUID leaf.
public struct CPUIDResult: Sendable, Equatable {
    public var eax: UInt32
    public var ebx: UInt32
    public var ecx: UInt32
    public var edx: UInt32

    public init(eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0) {
        self.eax = eax
        self.ebx = ebx
        self.ecx = ecx
        self.edx = edx
    }
}

/// The kind of one memory access.
public enum Access: UInt8, Sendable { case read = 0, write = 1, execute = 2 }

/// A question to `Bus.page(_:)`.
public struct PageRequest: Sendable {
    /// The physical address itself, not only its page's.
    public var physical: UInt64
    public var access: Access
    /// The linear address being translated.
    public var linear: UInt64
    /// Whether this is an access to a paging structure, rather than to what `linear` translates to.
    public var isTableWalk: Bool
}

/// An answer of `Bus.page(_:)`.
@safe public enum PageAnswer {
    /// RAM. `host` is where the page's first byte is; the processor may access it as `allowed` says until it is told
    /// to forget (`Processor.translations`). A kind of access that isn't allowed is asked for again when it comes.
    case memory(host: UnsafeMutableRawPointer, allowed: AllowedAccess)
    /// Not RAM: the access goes to `readDevice` or `writeDevice`.
    case device
    /// The access may not be done; the step ends with `Outcome.refused`.
    case refused
}

/// Which accesses the bus allows to a page without being asked again.
public struct AllowedAccess: OptionSet, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let read = AllowedAccess(rawValue: 1)
    public static let write = AllowedAccess(rawValue: 2)
    public static let execute = AllowedAccess(rawValue: 4)
    public static let all: AllowedAccess = [.read, .write, .execute]
}
