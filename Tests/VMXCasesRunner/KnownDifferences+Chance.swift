// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXCases
import VMXSim

extension KnownDifferences {
    /// Checks that Bochs leaves out or makes later than the SDM has them, as the list says case by case.
    private static let unchecked: Set<EntryCheck> = [
        .tprThresholdAboveVTPR, .smmOutsideSMM, .guestPerfGlobalControl, .guestLongModeWithoutPaging,
        .guestDebugControl, .guestRIP, .guestFlagsVirtual8086, .activityInjection, .virtualNMIWhileBlocked,
        .pendingDebugSingleStep, .nmiWhileSTI,
    ]

    /// Why a case that was made by chance may differ; nil where nothing on the list is like it.
    static func explanation(
        _ fields: [FieldValue], model: (result: EntryResult, refusals: [Refusal]), machine: EntryResult
    ) -> String? {
        if let refusal = model.refusals.first(where: isUnchecked) { return "\(refusal.check)" }
        let refused = EntryResult.failedEntry(reason: 33, qualification: 0)
        if model.result == .entered, machine == refused, privilege(fields) { return "the RPL of CS" }
        return nil
    }

    private static func isUnchecked(_ refusal: Refusal) -> Bool {
        switch refusal.check {
        case .pendingDebugReserved: refusal.value >> 32 != 0
        // Compared with another selector's than SS's.
        case .guestSegmentDPL: refusal.field == .guestCsAccessRights
        default: unchecked.contains(refusal.check)
        }
    }

    /// CS has another RPL than DPL.
    private static func privilege(_ fields: [FieldValue]) -> Bool {
        func value(_ field: VMCSField) -> UInt64 { fields.last { $0.field == field }?.value ?? 0 }
        return value(.guestCsSelector) & 3 != value(.guestCsAccessRights) >> 5 & 3
    }
}
