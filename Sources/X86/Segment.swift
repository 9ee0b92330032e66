// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A segment register with its hidden part.
public struct Segment: BitwiseCopyable, Sendable, Equatable {
    public var selector: UInt16
    public var base: UInt64
    /// The last valid offset, already scaled by the granularity bit.
    public var limit: UInt32
    /// Bits 8 to 23 of a descriptor's second word, moved to bit 0: type, S, DPL, P, AVL, L, D/B, G; and bit 16 when unusable.
    public var access: UInt32

    public init(selector: UInt16 = 0, base: UInt64 = 0, limit: UInt32 = 0xFFFF, access: UInt32 = 0x93) {
        self.selector = selector
        self.base = base
        self.limit = limit
        self.access = access
    }

    public static let unusableBit: UInt32 = 1 << 16
    public static let unusable = Segment(limit: 0, access: unusableBit)

    /// What loading a selector in real mode or virtual-8086 mode makes of a segment, but for limit and access.
    static func real(_ selector: UInt16) -> Segment { Segment(selector: selector, base: UInt64(selector) << 4) }

    @inline(__always) var type: UInt32 { access & 0xF }
    @inline(__always) public var isUnusable: Bool { access & Segment.unusableBit != 0 }
    @inline(__always) var isCodeOrData: Bool { access & 0x10 != 0 }
    @inline(__always) var isCode: Bool { access & 0x18 == 0x18 }
    @inline(__always) var isConforming: Bool { access & 0x1C == 0x1C }
    @inline(__always) var isExpandDown: Bool { access & 0x1C == 0x14 }
    @inline(__always) var isReadable: Bool { access & 0x18 == 0x10 || access & 0x1A == 0x1A }
    @inline(__always) var isWritable: Bool { access & 0x1A == 0x12 }
    @inline(__always) public var privilege: UInt8 { UInt8(truncatingIfNeeded: access >> 5) & 3 }
    @inline(__always) var isPresent: Bool { access & 0x80 != 0 }
    @inline(__always) var isLong: Bool { access & 0x2000 != 0 }
    @inline(__always) var isBig: Bool { access & 0x4000 != 0 }

    /// The highest offset of an expand-down segment.
    @inline(__always) var upperBound: UInt64 { isBig ? 0xFFFF_FFFF : 0xFFFF }
}

/// Numbers of the segment registers as instructions encode them.
public enum SegmentRegister {
    public static let es = 0
    public static let cs = 1
    public static let ss = 2
    public static let ds = 3
    public static let fs = 4
    public static let gs = 5
}

/// GDTR or IDTR.
public struct DescriptorTable: BitwiseCopyable, Sendable, Equatable {
    public var base: UInt64
    public var limit: UInt16

    public init(base: UInt64 = 0, limit: UInt16 = 0xFFFF) {
        self.base = base
        self.limit = limit
    }
}
