// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXCases
import VMXSim

extension EntryCase {
    /// Physical memory that a case may name begins at 0 in the tables and at the arena on a machine, and has this size.
    static let memoryBytes: UInt64 = 1 << 21

    /// Fields that hold physical addresses. CR3 does where there is no EPT.
    private static let addresses: Set<VMCSField> = [
        .ioBitmapA, .ioBitmapB, .msrBitmap, .exitMsrStoreAddr, .exitMsrLoadAddr, .entryMsrLoadAddr, .pmlAddress,
        .virtualApicAddr, .apicAccessAddr, .eptPointer, .eptpListAddr, .vmreadBitmap, .vmwriteBitmap,
        .veInformationAddr, .vmcsLinkPointer,
    ]

    /// Bounds a guest that would stay for ever.
    private static let timerTicks: UInt64 = 0x1_0000

    /// Every field that a machine with its memory at `arena` is given, the same for the model.
    func fields(at arena: UInt64, _ capabilities: Capabilities) -> [FieldValue] {
        var values: [VMCSField: UInt64] = [:]
        for write in base.fields + changes { values[write.field] = write.value }
        bound(&values, capabilities)
        if stopsAfterTheControls { values[.guestRflags] = 0 }
        let usesEPT =
            values[.procControls, default: 0] & ProcControl.secondaryControls.mask != 0
            && values[.proc2Controls, default: 0] & Proc2Control.enableEpt.mask != 0
        for (field, value) in values where Self.addresses.contains(field) || field == .guestCr3 && !usesEPT {
            if value < Self.memoryBytes { values[field] = arena + value }
        }
        return values.map { FieldValue($0.key, $0.value) }.sorted { $0.field.rawValue < $1.field.rawValue }
    }

    func words(at arena: UInt64) -> [UInt64: UInt64] {
        Dictionary(uniqueKeysWithValues: memory.map { (arena + $0.key, $0.value) })
    }

    /// The VMX preemption timer, where the case isn't about the controls it needs.
    private func bound(_ values: inout [VMCSField: UInt64], _ capabilities: Capabilities) {
        let timer = PinControl.preemptionTimer.mask
        guard capabilities.truePin >> 32 & timer != 0,
            !changes.contains(where: { [.pinControls, .exitControls].contains($0.field) })
        else { return }
        values[.pinControls, default: 0] |= timer
        values[.preemptionTimerValue] = Self.timerTicks
    }

    /// Storing MSRs where there is no memory would be a VMX abort at the exit: RFLAGS makes the entry fail after
    /// the control was accepted.
    private var stopsAfterTheControls: Bool {
        expected.isEmpty && changes.contains { $0.field == .exitMsrStoreCount }
    }

    /// A host state that a case expects to be refused, and that no machine survives otherwise.
    var spoilsTheHost: Bool { !expected.isEmpty && changes.contains { Answer.host.contains($0.field) } }

    /// Why a machine can't be given the case.
    var obstacle: String? {
        let waits = changes.contains(FieldValue(.guestActivityState, 3)) && expected.isEmpty
        return waits ? "nobody sends the SIPI that ends wait-for-SIPI" : nil
    }
}
