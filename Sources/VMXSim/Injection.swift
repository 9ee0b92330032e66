// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An event in the format that VM-entry and VM-exit interruption information and IDT-vectoring information share.
/// SDM vol. 3, 25.8.3 and 25.9.2.
public struct Injection: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        case externalInterrupt = 0
        case reserved = 1
        case nmi = 2
        case hardwareException = 3
        case softwareInterrupt = 4
        case privilegedSoftwareException = 5
        case softwareException = 6
        /// Not delivered through the IDT: a pending MTF VM exit.
        case other = 7
    }

    public var vector: UInt8
    public var kind: Kind
    /// Pushed where not nil.
    public var errorCode: UInt32?
    /// For software events: how far RIP moves.
    public var length: UInt8 = 0

    public init(vector: UInt8, kind: Kind, errorCode: UInt32? = nil, length: UInt8 = 0) {
        self.vector = vector
        self.kind = kind
        self.errorCode = errorCode
        self.length = length
    }

    /// What the fields of a VMCS hold; nil where bit 31 is clear.
    public init?(info: UInt64, errorCode: UInt64, length: UInt64) {
        guard info & 1 << 31 != 0, let kind = Kind(rawValue: UInt8(info >> 8 & 7)) else { return nil }
        self.vector = UInt8(truncatingIfNeeded: info)
        self.kind = kind
        self.errorCode = info & 1 << 11 != 0 ? UInt32(truncatingIfNeeded: errorCode) : nil
        self.length = UInt8(truncatingIfNeeded: length)
    }

    /// The information field, valid bit set.
    public var info: UInt64 {
        1 << 31 | (errorCode == nil ? 0 : 1 << 11) | UInt64(kind.rawValue) << 8 | UInt64(vector)
    }

    /// Events whose delivery starts after the instruction that asked for it.
    public var isSoftware: Bool {
        switch kind {
        case .softwareInterrupt, .privilegedSoftwareException, .softwareException: true
        default: false
        }
    }
}
