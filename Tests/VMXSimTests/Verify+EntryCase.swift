// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXCases
import VMXSim

extension EntryCase {
    /// Enters and looks at what became of it: which checks failed, and what the processor did of it.
    func verify() throws {
        let memory = TestMemory(self.memory)
        let processor = Fixture.processor(base, variant.of(.skylakeX), memory: memory)
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
            let isMSR = first == .entryMSRLoading
            #expect(exit.isEntryFailure && exit.reason == (isMSR ? .entryFailMsrLoading : .entryFailGuestState))
            #expect(vmcs[.exitReason] == (isMSR ? 0x8000_0022 : 0x8000_0021))
            #expect(vmcs[.exitQualification] == (isMSR ? wrongMSR : qualification))
        }
    }
}
