// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the I/O APIC does with one input, as software sees it. 82093AA data sheet, 3.2.4
struct RedirectionEntry: Equatable {
    /// Masked, as after reset.
    private(set) var rawValue: UInt64 = 1 << 16

    private static let remoteIRRBit: UInt64 = 1 << 14
    private static let levelBit: UInt64 = 1 << 15
    /// Delivery status and remote IRR.
    private static let readOnly: UInt64 = 1 << 12 | remoteIRRBit
    /// Vector to mask, and the destination with its extension (bits 55:48, which KVM defines for IDs of more than 8 bits).
    private static let kept: UInt64 = 0xFFFF_0000_0001_FFFF

    var vector: UInt8 { UInt8(truncatingIfNeeded: rawValue) }
    var isMasked: Bool { rawValue & 1 << 16 != 0 }
    var isLevel: Bool { rawValue & Self.levelBit != 0 }

    /// A level was delivered and its EOI hasn't come.
    var remoteIRR: Bool {
        get { rawValue & Self.remoteIRRBit != 0 }
        set { rawValue = newValue ? rawValue | Self.remoteIRRBit : rawValue & ~Self.remoteIRRBit }
    }

    mutating func write(half: Int, _ value: UInt32) {
        let shift = UInt64(half) * 32
        let mask: UInt64 = 0xFFFF_FFFF << shift & Self.kept & ~Self.readOnly
        rawValue = rawValue & ~mask | UInt64(value) << shift & mask
        // Software of chips without an EOI register ends an interrupt by making it an edge for a moment.
        if !isLevel { remoteIRR = false }
    }

    /// SDM vol. 3, 11.11.1: destination, and its mode. Bits 11:5 have what KVM adds to the destination.
    var messageAddress: UInt64 {
        let destination = rawValue >> 56 & 0xFF
        let extended = rawValue >> 49 & 0x7F
        let isLogical = rawValue >> 11 & 1
        return 0xFEE0_0000 | destination << 12 | extended << 5 | isLogical << 2
    }

    /// SDM vol. 3, 11.11.2: vector, delivery mode, and for a level that it is active.
    var messageData: UInt32 {
        let low = UInt32(truncatingIfNeeded: rawValue)
        return low & 0x7FF | (isLevel ? 1 << 15 | 1 << 14 : 0)
    }

    /// Whether what the kernel was told of it has changed.
    func isRoutedElsewhere(than other: RedirectionEntry) -> Bool {
        (rawValue ^ other.rawValue) & ~Self.readOnly != 0
    }
}
