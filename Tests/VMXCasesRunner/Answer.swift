// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMXCases
import KVMABI
import VMXCases

/// What a processor did of a VMLAUNCH.
struct Answer {
    enum Outcome: Equatable {
        /// VM exit, that of a failed entry included.
        case exited
        /// VMLAUNCH failed.
        case failed
        /// VMWRITE of a field failed before it.
        case refused(VMCSField?)
    }

    static let host: [VMCSField] = VMCSField.allCases.filter { $0.rawValue >> 10 & 3 == 3 }

    /// What is read afterwards.
    static let fields: [VMCSField] =
        [
            .instructionError, .exitReason, .exitQualification, .guestLinearAddress, .guestPhysicalAddress,
            .exitInterruptionInfo, .exitInterruptionErrorCode, .idtVectoringInfo, .idtVectoringErrorCode,
            .exitInstructionLength, .exitInstructionInfo, .guestRip, .guestPdpte0,
        ] + host

    let outcome: Outcome
    let rax: UInt64
    private let values: [VMCSField: UInt64]

    init(_ run: vmx_cases_run, _ reads: [vmx_cases_field]) {
        switch Int32(run.outcome) {
        case VMX_CASES_EXITED: outcome = .exited
        case VMX_CASES_FAILED: outcome = .failed
        default: outcome = .refused(VMCSField(rawValue: run.refused))
        }
        rax = run.rax
        var values: [VMCSField: UInt64] = [:]
        for read in reads where read.exists != 0 {
            if let field = VMCSField(rawValue: read.encoding) { values[field] = read.value }
        }
        self.values = values
    }

    /// 0 for a field that the processor has not.
    subscript(field: VMCSField) -> UInt64 { values[field] ?? 0 }

    /// Those of the fields that were asked for that the processor has.
    var fields: [VMCSField] { Array(values.keys) }

    /// The host's part of the VMCS, as far as the processor has it.
    var hostFields: [FieldValue] { Self.host.compactMap { field in values[field].map { FieldValue(field, $0) } } }

    /// The basic reason and what else tells how an exit came about, for people.
    var exit: String {
        let reason = UInt16(truncatingIfNeeded: self[.exitReason])
        let name = VMXExitReason(rawValue: reason).map { "\($0)" } ?? "exit \(reason)"
        return "\(name) qualification 0x\(String(self[.exitQualification], radix: 16))"
    }
}
