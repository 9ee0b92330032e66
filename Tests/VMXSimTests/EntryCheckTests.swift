// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXSim

@Suite struct EntryCheckTests {
    @Test(arguments: Base.allCases) func everyBaseEnters(_ base: Base) throws {
        try EntryCase(base: base, changes: [], expected: []).verify()
    }

    @Test(arguments: ControlCases.execution) func executionControls(_ test: EntryCase) throws { try test.verify() }
    @Test(arguments: ControlCases.exitAndEntry) func exitAndEntryControls(_ test: EntryCase) throws {
        try test.verify()
    }
    @Test(arguments: HostCases.registers) func hostState(_ test: EntryCase) throws { try test.verify() }
    @Test(arguments: GuestCases.registers) func guestRegisters(_ test: EntryCase) throws { try test.verify() }
    @Test(arguments: SegmentCases.all) func guestSegments(_ test: EntryCase) throws { try test.verify() }
    @Test(arguments: GuestCases.nonRegister) func guestNonRegister(_ test: EntryCase) throws { try test.verify() }

    @Test func everyCheckHasACase() {
        let all = [
            ControlCases.execution, ControlCases.exitAndEntry, HostCases.registers, GuestCases.registers,
            GuestCases.nonRegister, SegmentCases.all,
        ].flatMap(\.self)
        let covered = Set(all.flatMap(\.expected))
        // MSR loading comes after the checks and BNDCFGS needs a processor with MPX: they have tests of their own.
        let missing = EntryCheck.allCases.filter {
            !covered.contains($0) && ![.entryMSRLoading, .guestBNDCFGS].contains($0)
        }
        #expect(missing.isEmpty)
        #expect(all.count >= 150)
    }

    @Test func aRefusalNamesSectionFieldAndValue() throws {
        let processor = Fixture.processor()
        try #require(processor.current)[.guestTrAccessRights] = 0x83
        var msrs = TestMSRs()
        _ = processor.enter(launch: true, msrs: &msrs)
        #expect(
            processor.refusals.map(\.description) == [
                "guestSegmentType (SDM vol. 3, 27.3.1.2): GUEST_TR_ACCESS_RIGHTS is 0x83"
            ])
    }

    @Test func boundsConfigurationIsChecked() throws {
        var capabilities = Capabilities.skylakeX
        capabilities.trueEntry |= 1 << 48
        for (value, isFit) in [(3 as UInt64, true), (4, false), (0x1003, true), (1 << 47, false)] {
            try EntryCase(
                base: .long64, changes: [(.entryControls, 0x1_D3FF), (.guestIa32Bndcfgs, value)],
                capabilities: capabilities, expected: isFit ? [] : [.guestBNDCFGS]
            ).verify()
        }
    }
}
