// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXCases
import VMXSim

/// How a VM entry ended, on the model or on a processor.
enum EntryResult: Equatable, CustomStringConvertible {
    /// There is no such field to write.
    case refused(VMCSField?)
    /// VMfail, with the VM-instruction error.
    case failed(UInt64)
    /// A VM exit with bit 31 of its reason set.
    case failedEntry(reason: UInt64, qualification: UInt64)
    case entered

    /// The processor goes on as if nothing had been.
    var isVMfail: Bool { if case .failed = self { true } else { false } }

    var description: String {
        switch self {
        case .refused(let field): "no field \(field?.name ?? "of that encoding")"
        case .failed(let error): "VMfail \(error)"
        case .failedEntry(let reason, let qualification): "failed entry \(reason) qualification \(qualification)"
        case .entered: "entered"
        }
    }

    init(_ answer: Answer) {
        switch answer.outcome {
        case .refused(let field): self = .refused(field)
        case .failed: self = .failed(answer[.instructionError])
        case .exited where answer[.exitReason] >> 31 != 0:
            self = .failedEntry(
                reason: answer[.exitReason] & 0xFFFF, qualification: answer[.exitQualification])
        case .exited: self = .entered
        }
    }

    /// What a processor may make of a check that fails. Which of several of the guest's it finds first is its own
    /// choice: SDM vol. 3, 27.3.1.
    init(_ refusal: Refusal) {
        switch refusal.check.consequence {
        case .instruction(let error): self = .failed(UInt64(error.rawValue))
        case .exit(let qualification): self = .failedEntry(reason: 33, qualification: qualification)
        }
    }

    /// What the model makes of the same fields and memory, and why.
    static func simulate(
        _ fields: [FieldValue], _ words: [UInt64: UInt64], _ capabilities: Capabilities
    ) -> (result: EntryResult, refusals: [Refusal]) {
        let processor = Fixture.empty(capabilities, memory: TestMemory(words))
        for write in fields where processor.vmwrite(write.field.rawValue, write.value) != .succeed {
            return (.refused(write.field), [])
        }
        var msrs = TestMSRs()
        let result: EntryResult =
            switch processor.enter(launch: true, msrs: &msrs) {
            case .refused(.failValid(let error)): .failed(UInt64(error.rawValue))
            case .refused: .failed(0)
            case .failed(let exit):
                .failedEntry(reason: UInt64(exit.reason.rawValue), qualification: exit.qualification)
            case .entered: .entered
            }
        return (result, processor.refusals)
    }
}
