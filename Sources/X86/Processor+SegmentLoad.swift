// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// Loads a selector as real mode and virtual-8086 mode do. Real mode keeps the limit and rights that were there
    /// ("unreal mode"); virtual-8086 mode has fixed ones.
    mutating func setRealSegment(_ number: Int, _ selector: UInt16) {
        segments[number].selector = selector
        segments[number].base = UInt64(selector) << 4
        if isProtected {
            segments[number].limit = 0xFFFF
            segments[number].access = 0xF3
        } else if number == SegmentRegister.cs || segments[number].isUnusable {
            // A far transfer in real mode gives CS data-like rights again.
            segments[number].access = 0x93
            if number == SegmentRegister.cs { segments[number].limit = max(segments[number].limit, 0xFFFF) }
        }
    }

    /// MOV Sreg, POP Sreg, LDS and the like (SDM vol. 2, "MOV"). Not for CS.
    mutating func loadSegment(_ number: Int, _ selector: UInt16) throws(Trap) {
        if hasRealSegments {
            setRealSegment(number, selector)
        } else if number == SegmentRegister.ss {
            segments[number] = try stackSegment(selector, privilege)
        } else {
            segments[number] = try dataSegment(selector)
        }
        if number == SegmentRegister.ss { refreshMode() }
    }

    /// A stack segment for a privilege level, checked.
    mutating func stackSegment(_ selector: UInt16, _ level: UInt8) throws(Trap) -> Segment {
        if selector & 0xFFFC == 0 {
            guard codeSize == 8, level != 3, UInt8(selector & 3) == level else { throw .general }
            return Segment(selector: selector, limit: 0, access: Segment.unusableBit | UInt32(level) << 5)
        }
        guard let found = try descriptor(selector), UInt8(selector & 3) == level, found.privilege == level,
            found.segment(selector).isWritable
        else { throw .general(selector) }
        guard found.isPresent else { throw .stack(selector) }
        try markDescriptor(selector, Self.accessedBit)
        var segment = found.segment(selector)
        segment.access |= 1
        return segment
    }

    private mutating func dataSegment(_ selector: UInt16) throws(Trap) -> Segment {
        if selector & 0xFFFC == 0 {
            return Segment(selector: selector, limit: 0, access: Segment.unusableBit)
        }
        guard let found = try descriptor(selector) else { throw .general(selector) }
        var segment = found.segment(selector)
        guard segment.isReadable else { throw .general(selector) }
        if !segment.isConforming && max(UInt8(selector & 3), privilege) > found.privilege { throw .general(selector) }
        guard found.isPresent else { throw .notPresent(selector) }
        try markDescriptor(selector, Self.accessedBit)
        segment.access |= 1
        return segment
    }

    /// LLDT.
    mutating func loadLDT(_ selector: UInt16) throws(Trap) {
        if selector & 0xFFFC == 0 {
            ldtr = Segment(selector: selector, limit: 0, access: Segment.unusableBit)
            return
        }
        guard selector & 4 == 0, let found = try descriptor(selector, wide: isLongMode), !found.isCodeOrData,
            found.type == SystemType.ldt
        else { throw .general(selector) }
        guard found.isPresent else { throw .notPresent(selector) }
        ldtr = found.segment(selector)
    }

    /// LTR.
    mutating func loadTaskRegister(_ selector: UInt16) throws(Trap) {
        guard selector & 0xFFFC != 0 else { throw .general }
        guard selector & 4 == 0, let found = try descriptor(selector, wide: isLongMode), !found.isCodeOrData,
            found.type == SystemType.tss || found.type == SystemType.tss16 && !isLongMode
        else { throw .general(selector) }
        guard found.isPresent else { throw .notPresent(selector) }
        try markDescriptor(selector, Self.busyBit)
        tr = found.segment(selector)
        tr.access |= 2
    }

    /// LAR and LSL: the descriptor if the running code may look at it, and its type is one the instruction knows.
    mutating func visibleDescriptor(_ selector: UInt16, forLimit: Bool) throws(Trap) -> Descriptor? {
        guard selector & 0xFFFC != 0, let found = try descriptor(selector) else { return nil }
        if !found.isConforming, max(UInt8(selector & 3), privilege) > found.privilege { return nil }
        if found.isCodeOrData { return found }
        let isKnown =
            switch found.type {
            case SystemType.ldt, SystemType.tss, SystemType.busyTSS: true
            case SystemType.tss16, SystemType.busyTSS16: !isLongMode
            case SystemType.callGate: !forLimit
            case SystemType.callGate16, SystemType.taskGate: !forLimit && !isLongMode
            default: false
            }
        return isKnown ? found : nil
    }

    /// VERR and VERW.
    mutating func verify(_ selector: UInt16, write: Bool) throws(Trap) -> Bool {
        guard selector & 0xFFFC != 0, let found = try descriptor(selector), found.isCodeOrData else { return false }
        if !found.isConforming, max(UInt8(selector & 3), privilege) > found.privilege { return false }
        let segment = found.segment(selector)
        return write ? segment.isWritable : segment.isReadable
    }
}
