// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// Limits, types and canonical form, before paging sees an address. SDM vol. 3, 5.3 to 5.5 and vol. 1, 3.3.7.1.
@Suite struct SegmentTests {
    static let protection = UInt8(VECTOR_GP), stack = UInt8(VECTOR_SS)

    private func access(
        _ machine: FakeMachine, _ segment: lkx_seg, _ offset: UInt64, _ size: UInt32, write: Bool = false
    ) -> (vector: UInt8?, linear: UInt64) {
        var linear: UInt64 = 0
        var fault = lkx_walk_fault()
        let result = lkx_segment_access(machine.vcpu, segment, offset, size, write, &linear, &fault)
        #expect(result == 0 || result == -EFAULT)
        #expect(fault.error == 0)
        return (result == 0 ? nil : fault.vector, linear)
    }

    @Test func limits() {
        let machine = FakeMachine(mode: FAKE_PROTECTED_32)
        machine[VMCS_GUEST_ES_LIMIT] = 0x1fff
        machine[VMCS_GUEST_ES_BASE] = 0xffff_f000
        #expect(access(machine, SEG_ES, 0x1ffc, 4) == (nil, 0xffc))
        #expect(access(machine, SEG_ES, 0x1ffd, 4).vector == Self.protection)
        #expect(access(machine, SEG_ES, 0xffff_ffff, 2).vector == Self.protection)
        machine[VMCS_GUEST_SS_LIMIT] = 0xff
        #expect(access(machine, SEG_SS, 0x100, 1).vector == Self.stack)
        #expect(access(machine, SEG_DS, 0xffff_fffe, 2) == (nil, 0xffff_fffe))
        #expect(access(machine, SEG_DS, 0xffff_fffe, 4).vector == Self.protection)
    }

    @Test(arguments: [(0x40, 0xffff_ffff), (0, 0xffff)] as [(UInt64, UInt64)]) func expandDown(big: UInt64, top: UInt64)
    {
        let machine = FakeMachine(mode: FAKE_PROTECTED_32)
        machine[VMCS_GUEST_DS_ACCESS_RIGHTS] = 0x97 | big << 8
        machine[VMCS_GUEST_DS_LIMIT] = 0xfff
        #expect(access(machine, SEG_DS, 0xfff, 1).vector == Self.protection)
        #expect(access(machine, SEG_DS, 0x1000, 4, write: true).vector == nil)
        #expect(access(machine, SEG_DS, top - 3, 4).vector == nil)
        #expect(access(machine, SEG_DS, top - 2, 4).vector == Self.protection)
    }

    @Test func types() {
        let machine = FakeMachine(mode: FAKE_PROTECTED_32)
        let rows: [(rights: UInt64, read: Bool, write: Bool)] = [
            (0x91, true, false), (0x93, true, true), (0x99, false, false), (0x9b, true, false),
            (0x1_0093, false, false),  // unusable
        ]
        for row in rows {
            machine[VMCS_GUEST_FS_ACCESS_RIGHTS] = row.rights | 0xc000
            #expect((access(machine, SEG_FS, 0, 1).vector == nil) == row.read, "\(row)")
            #expect((access(machine, SEG_FS, 0, 1, write: true).vector == nil) == row.write, "\(row)")
        }
    }

    @Test func realModeHasLimitsButNoTypes() {
        let machine = FakeMachine()
        machine[VMCS_GUEST_DS_ACCESS_RIGHTS] = 0x91
        machine[VMCS_GUEST_DS_BASE] = 0xffff0
        #expect(access(machine, SEG_DS, 0xffff, 1, write: true) == (nil, 0x10ffef))
        #expect(access(machine, SEG_DS, 0xffff, 2).vector == Self.protection)
    }

    @Test func sixtyFourBitModeChecksCanonicalFormOnly() {
        let machine = FakeMachine(mode: FAKE_LONG_64)
        machine[VMCS_GUEST_DS_LIMIT] = 0
        machine[VMCS_GUEST_DS_BASE] = 0x1000
        machine[VMCS_GUEST_DS_ACCESS_RIGHTS] = 0x1_0000
        machine[VMCS_GUEST_GS_BASE] = 0xffff_8000_0000_0000
        #expect(access(machine, SEG_DS, 0x7fff_ffff_fff8, 8, write: true) == (nil, 0x7fff_ffff_fff8))
        #expect(access(machine, SEG_DS, 0x7fff_ffff_fff9, 8).vector == Self.protection)
        #expect(access(machine, SEG_GS, 0x10, 8) == (nil, 0xffff_8000_0000_0010))
        #expect(access(machine, SEG_GS, 0xffff_ffff_ffff_ffff, 1).vector == Self.protection)
        // Compatibility mode is 32-bit code's.
        fake_set_mode(machine.fake, FAKE_LONG_32)
        machine[VMCS_GUEST_DS_LIMIT] = 0xf
        #expect(access(machine, SEG_DS, 0x10, 1).vector == Self.protection)
    }
}
