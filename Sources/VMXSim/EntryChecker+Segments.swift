// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

extension EntryChecker {
    /// One segment register's fields, in the VMCS's order: ES, CS, SS, DS, FS, GS, LDTR, TR.
    struct SegmentFields {
        let selector, base, limit, access: VMCSField

        static let all: [SegmentFields] = (0..<8).map { index in
            func field(_ first: VMCSField) -> VMCSField {
                // Encodings of a kind are 2 apart; the table has all eight.
                VMCSField(rawValue: first.rawValue + 2 * UInt32(index)) ?? first
            }
            return SegmentFields(
                selector: field(.guestEsSelector), base: field(.guestEsBase), limit: field(.guestEsLimit),
                access: field(.guestEsAccessRights))
        }
    }

    private static let cs = SegmentFields.all[1]
    private static let ss = SegmentFields.all[2]
    private static let ldtr = SegmentFields.all[6]
    private static let tr = SegmentFields.all[7]
    /// DS, ES, FS and GS.
    private static let data = [3, 0, 4, 5].map { SegmentFields.all[$0] }
    /// CS, SS, DS, ES, FS and GS.
    private static let ordinary = [cs, ss] + data

    private func isUsable(_ segment: SegmentFields) -> Bool { vmcs[segment.access] & 1 << 16 == 0 }
    private func type(_ segment: SegmentFields) -> UInt64 { vmcs[segment.access] & 15 }
    private func dpl(_ segment: SegmentFields) -> UInt64 { vmcs[segment.access] >> 5 & 3 }
    private func rpl(_ segment: SegmentFields) -> UInt64 { vmcs[segment.selector] & 3 }

    /// SDM vol. 3, 27.3.1.2.
    mutating func guestSegments() {
        selectors()
        bases()
        if isVirtual8086 {
            for segment in Self.ordinary {
                check(.guestVirtual8086Limit, segment.limit, vmcs[segment.limit] == 0xFFFF)
                check(.guestVirtual8086Access, segment.access, vmcs[segment.access] == 0xF3)
            }
        } else {
            types()
            privileges()
            for segment in Self.ordinary where segment.selector == Self.cs.selector || isUsable(segment) {
                check(.guestSegmentSystem, segment.access, vmcs[segment.access] & 0x10 != 0)
                common(segment)
            }
            if isLongMode, vmcs[Self.cs.access] & 1 << 13 != 0 {
                check(.guestCodeSize, Self.cs.access, vmcs[Self.cs.access] & 1 << 14 == 0)
            }
        }
        let busy: [UInt64] = isLongMode ? [11] : [3, 11]
        check(.guestSegmentType, Self.tr.access, busy.contains(type(Self.tr)))
        check(.guestTRUnusable, Self.tr.access, isUsable(Self.tr))
        system(Self.tr)
        if isUsable(Self.ldtr) {
            check(.guestSegmentType, Self.ldtr.access, type(Self.ldtr) == 2)
            system(Self.ldtr)
        }
    }

    private mutating func selectors() {
        check(.guestTableIndicator, Self.tr.selector, vmcs[Self.tr.selector] & 4 == 0)
        if isUsable(Self.ldtr) {
            check(.guestTableIndicator, Self.ldtr.selector, vmcs[Self.ldtr.selector] & 4 == 0)
        }
        if !isVirtual8086, !isUnrestricted {
            check(.guestSSPrivilege, Self.ss.selector, rpl(Self.ss) == rpl(Self.cs))
        }
    }

    private mutating func bases() {
        if isVirtual8086 {
            for segment in Self.ordinary {
                check(.guestVirtual8086Base, segment.base, vmcs[segment.base] == vmcs[segment.selector] << 4)
            }
        }
        for segment in [Self.tr, Self.data[2], Self.data[3]] {
            check(.guestBaseCanonical, segment.base, Bits.isCanonical(vmcs[segment.base]))
        }
        if isUsable(Self.ldtr) {
            check(.guestBaseCanonical, Self.ldtr.base, Bits.isCanonical(vmcs[Self.ldtr.base]))
        }
        check(.guestBaseHigh, Self.cs.base, vmcs[Self.cs.base] >> 32 == 0)
        for segment in [Self.ss, Self.data[0], Self.data[1]] where isUsable(segment) {
            check(.guestBaseHigh, segment.base, vmcs[segment.base] >> 32 == 0)
        }
    }

    private mutating func types() {
        let code = type(Self.cs)
        check(
            .guestSegmentType, Self.cs.access, [9, 11, 13, 15].contains(code) || isUnrestricted && code == 3)
        if isUsable(Self.ss) { check(.guestSegmentType, Self.ss.access, [3, 7].contains(type(Self.ss))) }
        for segment in Self.data where isUsable(segment) {
            let type = type(segment)
            // Accessed; and if it is code, readable.
            check(.guestSegmentType, segment.access, type & 1 != 0 && (type & 8 == 0 || type & 2 != 0))
        }
    }

    private mutating func privileges() {
        let code = type(Self.cs)
        let codeFits =
            switch code {
            case 3: dpl(Self.cs) == 0
            case 9, 11: dpl(Self.cs) == dpl(Self.ss)
            case 13, 15: dpl(Self.cs) <= dpl(Self.ss)
            default: true
            }
        check(.guestSegmentDPL, Self.cs.access, codeFits)
        if !isUnrestricted { check(.guestSegmentDPL, Self.ss.access, dpl(Self.ss) == rpl(Self.ss)) }
        if code == 3 || vmcs[.guestCr0] & Bit.cr0PE == 0 {
            check(.guestSegmentDPL, Self.ss.access, dpl(Self.ss) == 0)
        }
        guard !isUnrestricted else { return }
        for segment in Self.data where isUsable(segment) && type(segment) <= 11 {
            check(.guestSegmentDPL, segment.access, dpl(segment) >= rpl(segment))
        }
    }

    /// Present, reserved bits clear, granularity as the limit has it: for every kind of segment.
    private mutating func common(_ segment: SegmentFields) {
        let access = vmcs[segment.access]
        let limit = vmcs[segment.limit]
        check(.guestSegmentPresent, segment.access, access & 0x80 != 0)
        check(.guestSegmentReserved, segment.access, access & 0xFFFE_0F00 == 0)
        let isGranular = access & 1 << 15 != 0
        check(
            .guestGranularity, segment.access,
            (limit & 0xFFF == 0xFFF || !isGranular) && (limit >> 20 == 0 || isGranular))
    }

    private mutating func system(_ segment: SegmentFields) {
        check(.guestSegmentSystem, segment.access, vmcs[segment.access] & 0x10 == 0)
        common(segment)
    }
}
