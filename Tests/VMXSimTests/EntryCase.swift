// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXSim

/// A VMCS that VM entry takes or refuses: a base, what is changed in it, and the checks that must fail, none others.
struct EntryCase: Sendable, CustomTestStringConvertible {
    var base: Base
    var changes: [(field: VMCSField, value: UInt64)]
    var memory: [UInt64: UInt64] = [:]
    var capabilities = Capabilities.skylakeX
    var expected: [EntryCheck]

    var testDescription: String {
        let what = changes.map { "\($0.field.name)=0x\(String($0.value, radix: 16))" }.joined(separator: " ")
        return "\(base) \(what) -> \(expected.isEmpty ? "entered" : expected.map { "\($0)" }.joined(separator: ","))"
    }

    /// Enters and looks at what became of it: which checks failed, and what the processor did of it.
    func verify() throws {
        let memory = TestMemory(self.memory)
        let processor = Fixture.processor(base, capabilities, memory: memory)
        let vmcs = try #require(processor.current)
        for change in changes { vmcs[change.field] = change.value }
        var msrs = TestMSRs()
        let entry = processor.enter(launch: true, msrs: &msrs)
        let found = processor.refusals.map(\.check)
        #expect(Set(found) == Set(expected), "\(processor.refusals)")
        guard let first = found.first else {
            guard case .entered = entry else {
                Issue.record("not entered: \(entry)")
                return
            }
            #expect(vmcs.launchState == .launched)
            return
        }
        #expect(vmcs.launchState == .clear)
        switch first.consequence {
        case .instruction(let error):
            guard case .refused(.failValid(error)) = entry else {
                Issue.record("\(entry) instead of VMfailValid(\(error))")
                return
            }
            #expect(vmcs[.instructionError] == UInt64(error.rawValue))
        case .exit(let qualification):
            guard case .failed(let exit) = entry else {
                Issue.record("\(entry) instead of a failed entry")
                return
            }
            #expect(exit.isEntryFailure && exit.reason == .entryFailGuestState)
            #expect(vmcs[.exitReason] == 0x8000_0021)
            #expect(vmcs[.exitQualification] == qualification)
        }
    }
}

/// A case with one field changed.
func no(_ base: Base, _ field: VMCSField, _ value: UInt64, _ expected: EntryCheck...) -> EntryCase {
    EntryCase(base: base, changes: [(field, value)], expected: expected)
}

/// A case with two.
func no2(
    _ base: Base, _ first: VMCSField, _ one: UInt64, _ second: VMCSField, _ two: UInt64, _ expected: EntryCheck...
) -> EntryCase {
    EntryCase(base: base, changes: [(first, one), (second, two)], expected: expected)
}

/// A case with three.
func no3(
    _ base: Base, _ first: VMCSField, _ one: UInt64, _ second: VMCSField, _ two: UInt64, _ third: VMCSField,
    _ three: UInt64, _ expected: EntryCheck...
) -> EntryCase {
    EntryCase(base: base, changes: [(first, one), (second, two), (third, three)], expected: expected)
}
