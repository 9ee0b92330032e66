// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXCases
import VMXSim

@Suite struct EntryCheckTests {
    @Test(arguments: EntryCases.all) func entries(_ test: EntryCase) throws { try test.verify() }

    @Test func everyCheckHasACase() {
        let covered = Set(EntryCases.all.flatMap(\.expected))
        let missing = EntryCheck.allCases.filter { !covered.contains($0) }
        #expect(missing.isEmpty)
        #expect(EntryCases.all.count >= 150)
    }

    @Test func namesAreUnique() {
        var seen: Set<String> = []
        let twice = EntryCases.all.map(\.name).filter { !seen.insert($0).inserted }
        #expect(twice.isEmpty)
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
}
