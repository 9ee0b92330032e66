// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import VMXCases
import VMXSim

extension EPTCase {
    func verify() {
        let memory = memory()
        let walker = EPTWalker(variant.of(.skylakeX), memory: memory)
        switch (walker.translate(address, pointer, access, for: purpose), expected) {
        case (.translated(let mapping), .physical(let physical, let shift, let allowed)):
            #expect(mapping.physical(address) == physical)
            #expect(mapping.shift == shift)
            #expect(mapping.access == allowed)
        case (.violation(let qualification), .violation(let wanted)):
            #expect(qualification == wanted)
        case (.misconfiguration(let kind, let level), .misconfigured(let wanted, let wantedLevel)):
            #expect(kind == wanted)
            #expect(level == wantedLevel)
        case (let outcome, _):
            Issue.record("\(outcome)")
        }
        let after = (1...4).reversed().map { memory.words[Layout.place($0, address)] ?? 0 }
        #expect(after == marked ?? entries)
    }
}
