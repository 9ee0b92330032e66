// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Eight bytes from a descriptor table, with the second eight of system descriptors in long mode.
struct Descriptor {
    var low: UInt64
    var high: UInt64 = 0

    var access: UInt32 { UInt32(truncatingIfNeeded: low >> 40) & 0xF0FF }
    var type: UInt8 { UInt8(truncatingIfNeeded: low >> 40) & 0xF }
    var isCodeOrData: Bool { low >> 44 & 1 != 0 }
    var privilege: UInt8 { UInt8(truncatingIfNeeded: low >> 45) & 3 }
    var isPresent: Bool { low >> 47 & 1 != 0 }
    var isCode: Bool { low >> 43 & 3 == 3 }
    var isConforming: Bool { low >> 42 & 7 == 7 }
    var isLong: Bool { low >> 53 & 1 != 0 }
    var isBig: Bool { low >> 54 & 1 != 0 }

    var base: UInt64 { low >> 16 & 0xFF_FFFF | low >> 32 & 0xFF00_0000 | high << 32 }
    var limit: UInt32 {
        let raw = UInt32(truncatingIfNeeded: low & 0xFFFF | low >> 32 & 0xF_0000)
        return low >> 55 & 1 != 0 ? raw << 12 | 0xFFF : raw
    }

    /// Gates: where they lead.
    var gateSelector: UInt16 { UInt16(truncatingIfNeeded: low >> 16) }
    var gateOffset: UInt64 { low & 0xFFFF | low >> 32 & 0xFFFF_0000 | high << 32 }
    var gateParameters: UInt8 { UInt8(truncatingIfNeeded: low >> 32) & 31 }
    var gateStack: UInt8 { UInt8(truncatingIfNeeded: low >> 32) & 7 }

    func segment(_ selector: UInt16) -> Segment {
        Segment(selector: selector, base: base, limit: limit, access: access)
    }
}

/// Types of system descriptors.
enum SystemType {
    static let tss16: UInt8 = 1
    static let ldt: UInt8 = 2
    static let busyTSS16: UInt8 = 3
    static let callGate16: UInt8 = 4
    static let taskGate: UInt8 = 5
    static let interruptGate16: UInt8 = 6
    static let trapGate16: UInt8 = 7
    static let tss: UInt8 = 9
    static let busyTSS: UInt8 = 11
    static let callGate: UInt8 = 12
    static let interruptGate: UInt8 = 14
    static let trapGate: UInt8 = 15
}

extension Processor {
    /// Reads a descriptor; nil when the selector lies outside its table.
    mutating func descriptor(_ selector: UInt16, wide: Bool = false) throws(Trap) -> Descriptor? {
        guard let address = descriptorAddress(selector, wide ? 16 : 8) else { return nil }
        var result = Descriptor(low: try loadSystem(address, 8))
        if wide { result.high = try loadSystem(advanced(address, 8), 8) }
        return result
    }

    private func descriptorAddress(_ selector: UInt16, _ size: UInt64) -> UInt64? {
        let offset = UInt64(selector & 0xFFF8)
        if selector & 4 != 0 {
            guard !ldtr.isUnusable, offset + size - 1 <= UInt64(ldtr.limit) else { return nil }
            return advanced(ldtr.base, offset)
        }
        guard offset + size - 1 <= UInt64(gdtr.limit) else { return nil }
        return advanced(gdtr.base, offset)
    }

    /// Sets a code or data descriptor's accessed bit, or a TSS's busy bit.
    mutating func markDescriptor(_ selector: UInt16, _ bit: UInt64) throws(Trap) {
        guard let address = descriptorAddress(selector, 8) else { return }
        let low = try loadSystem(address, 8)
        if low & bit != bit { try storeSystem(advanced(address, 5), 1, (low | bit) >> 40 & 0xFF) }
    }

    static var accessedBit: UInt64 { 1 << 40 }
    static var busyBit: UInt64 { 1 << 41 }

    func isCanonical(_ address: UInt64) -> Bool { address &+ 0x8000_0000_0000 < 1 << 48 }
}
