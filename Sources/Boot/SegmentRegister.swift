// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A segment register with what is behind its selector: the fields of KVM's `kvm_segment`. SDM vol. 3, 3.4.5.
public struct SegmentRegister: Equatable, Sendable {
    public var selector: UInt16
    public var base: UInt64 = 0
    /// In bytes, as the processor holds it.
    public var limit: UInt32
    public var type: UInt8
    /// Code or data, not a system segment.
    public var isCodeOrData: Bool
    public var privilege: UInt8 = 0
    public var isPresent = true
    /// L: 64-bit code.
    public var isLong: Bool
    /// D/B: 32-bit operands.
    public var isBig: Bool
    /// G: the limit counts pages.
    public var isGranular: Bool

    /// Execute and read, accessed.
    static let code64 = SegmentRegister(
        selector: 0x10, limit: 0xFFFF_FFFF, type: 0xB, isCodeOrData: true, isLong: true, isBig: false, isGranular: true)
    static let code32 = SegmentRegister(
        selector: 0x10, limit: 0xFFFF_FFFF, type: 0xB, isCodeOrData: true, isLong: false, isBig: true, isGranular: true)
    /// Read and write, accessed.
    static let data = SegmentRegister(
        selector: 0x18, limit: 0xFFFF_FFFF, type: 0x3, isCodeOrData: true, isLong: false, isBig: true, isGranular: true)
    /// A busy TSS: VM entry wants one (SDM vol. 3, 27.3.1.2), and so does PVH.
    static let task = SegmentRegister(
        selector: 0x20, limit: 0x67, type: 0xB, isCodeOrData: false, isLong: false, isBig: false, isGranular: false)

    /// The descriptor that loads it, for segments whose base fits 32 bits.
    var descriptor: UInt64 {
        let limit = UInt64(isGranular ? self.limit >> 12 : self.limit)
        let access =
            UInt64(type) | (isCodeOrData ? 1 << 4 : 0) | UInt64(privilege) << 5 | (isPresent ? 1 << 7 : 0)
        let flags = (isLong ? UInt64(1) << 1 : 0) | (isBig ? 1 << 2 : 0) | (isGranular ? 1 << 3 : 0)
        return limit & 0xFFFF | (base & 0xFF_FFFF) << 16 | access << 40 | (limit >> 16 & 0xF) << 48 | flags << 52
            | (base >> 24 & 0xFF) << 56
    }
}
