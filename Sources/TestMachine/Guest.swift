// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// How a guest program starts: its mode, memory and registers, what it needs and what it must do.
public struct Guest: Equatable, Sendable {
    public var name: String
    public var about = ""
    public var mode = Mode.real16
    /// Where the program's file is loaded.
    public var load = GuestAddress(0)
    /// The first instruction.
    public var entry = GuestAddress(0)
    public var registers: [Register: UInt64] = [:]
    public var memory = [Memory(slot: 0, base: GuestAddress(0), size: 0x20_0000)]
    /// Where the test machine builds the page tables of `Mode.long64`.
    public var pageTables = GuestAddress(0x9000)
    /// CPUID features without which the guest is skipped.
    public var requires: [String] = []
    public var expectation: Expectation?
    /// The run ends after so many exits.
    public var exitLimit = 100_000
    /// The run ends after so many seconds.
    public var timeout = 60.0

    /// Where a program of the flat modes is loaded unless its settings say otherwise: above the page tables.
    public static let flatLoad: UInt64 = 0x1_0000

    public init(name: String) { self.name = name }

    /// How the processor is set before the first instruction.
    public enum Mode: String, CaseIterable, Sendable {
        /// 16-bit real mode: all segments at 0, 64 KiB each.
        case real16
        /// Flat 4 GiB segments, no paging.
        case protected32
        /// 64-bit, with the first GiB mapped to itself in pages of 2 MiB.
        case long64
    }

    /// Guest memory of one slot.
    public struct Memory: Equatable, Sendable {
        public var slot: UInt32
        public var base: GuestAddress
        public var size: UInt64
        public var isReadOnly = false
        /// Every byte before the program is loaded.
        public var fill: UInt8 = 0

        public init(slot: UInt32, base: GuestAddress, size: UInt64, isReadOnly: Bool = false, fill: UInt8 = 0) {
            self.slot = slot
            self.base = base
            self.size = size
            self.isReadOnly = isReadOnly
            self.fill = fill
        }
    }
}
