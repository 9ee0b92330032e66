// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import VMXSim

@Suite struct EPTTests {
    @Test(arguments: EPTCases.permissions) func permissions(_ test: EPTCase) { test.verify() }
    @Test(arguments: EPTCases.absent) func absent(_ test: EPTCase) { test.verify() }
    @Test(arguments: EPTCases.combined) func combined(_ test: EPTCase) { test.verify() }
    @Test(arguments: EPTCases.misconfigured) func misconfigured(_ test: EPTCase) { test.verify() }
    @Test(arguments: EPTCases.accepted) func accepted(_ test: EPTCase) { test.verify() }

    @Test func thereAreEnough() {
        let all = [
            EPTCases.permissions, EPTCases.absent, EPTCases.combined, EPTCases.misconfigured, EPTCases.accepted,
        ]
        #expect(all.map(\.count).reduce(0, +) >= 100)
    }

    /// Flags after an access: accessed in every entry used, dirty in the last one for a write.
    @Test(
        arguments: [
            (.read, .linear(0), 0x100), (.execute, .linear(0), 0x100), (.write, .linear(0), 0x300),
            // The guest's own walks count as writes.
            (.read, .tableWalk(0), 0x300),
        ] as [(EPTAccess, EPTPurpose, UInt64)])
    func accessedAndDirty(_ access: EPTAccess, _ purpose: EPTPurpose, _ page: UInt64) {
        for leaf in [1, 2, 3] {
            var entries = EPTCase.Layout.open
            if leaf > 1 { entries[4 - leaf] = leaf == 2 ? 0x40_00B7 : 0x8000_00B7 }
            let test = EPTCase(entries: entries, expected: .violation(0))
            let memory = test.memory()
            let walker = EPTWalker(.skylakeX, memory: memory)
            let address = EPTCase.Layout.address
            let outcome = walker.translate(address, EPTPointer(rawValue: 0x105E), access, for: purpose)
            guard case .translated = outcome else {
                Issue.record("\(outcome)")
                return
            }
            for level in leaf...4 {
                let entry = memory.words[EPTCase.Layout.place(level, address)] ?? 0
                #expect(entry == entries[4 - level] | (level == leaf ? page : 0x100), "leaf \(leaf) level \(level)")
            }
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

    @Test func walksWithFlagsNeedWritePermission() {
        let memory = EPTCase(entries: EPTCases.way(1, 0x55_5031), expected: .violation(0)).memory()
        let outcome = EPTWalker(.skylakeX, memory: memory).translate(
            EPTCase.Layout.address, EPTPointer(rawValue: 0x105E), .read, for: .tableWalk(0x7000))
        // Both read and write are reported. SDM vol. 3, table 28-7.
        #expect(outcome == .violation(qualification: 0x8B))
    }
}
