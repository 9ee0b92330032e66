// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import VMXCases

@testable import VMXSim

@Suite struct EPTTests {
    @Test(arguments: EPTCases.all) func translations(_ test: EPTCase) { test.verify() }

    @Test func thereAreEnough() { #expect(EPTCases.all.count >= 100) }

    @Test func namesAreUnique() {
        var seen: Set<String> = []
        let twice = EPTCases.all.map(\.name).filter { !seen.insert($0).inserted }
        #expect(twice.isEmpty)
    }

    /// Once each, in one access that can't lose another processor's bits.
    @Test func eachFlagIsSetOnce() {
        for leaf in [1, 2, 3] {
            var entries = EPTCase.Layout.open
            if leaf > 1 { entries[4 - leaf] = leaf == 2 ? 0x40_00B7 : 0x8000_00B7 }
            let test = EPTCase(entries: entries, access: .write, usesAccessedDirty: true, expected: .violation(0))
            let memory = test.memory()
            _ = EPTWalker(.skylakeX, memory: memory).translate(test.address, test.pointer, .write, for: test.purpose)
            #expect(memory.stores.count == 5 - leaf)
        }
    }

    @Test func nothingIsMarkedWithoutTheFlagsOrOnAViolation() {
        let plain = EPTCase(entries: EPTCase.Layout.open, expected: .violation(0)).memory()
        _ = EPTWalker(.skylakeX, memory: plain).translate(
            EPTCase.Layout.address, EPTPointer(rawValue: 0x101E), .write, for: .linear(0))
        #expect(plain.stores.isEmpty)
        let readOnly = EPTCase(entries: EPTCases.way(1, 0x55_5031), expected: .violation(0)).memory()
        _ = EPTWalker(.skylakeX, memory: readOnly).translate(
            EPTCase.Layout.address, EPTPointer(rawValue: 0x105E), .write, for: .linear(0))
        #expect(readOnly.stores.isEmpty)
    }
}
