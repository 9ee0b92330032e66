// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import TestRandom
import VMXCases
import VMXSim

/// VM-entry cases by chance: a base with up to three fields spoilt. None can harm the machine that tries it.
struct RandomEntries {
    private var random: Random
    private let fields: [VMCSField]

    private static let controls: [VMCSField] = [
        .pinControls, .procControls, .proc2Controls, .exitControls, .entryControls, .cr3TargetCount, .vpid,
        .eptPointer, .tprThreshold, .ioBitmapA, .msrBitmap, .virtualApicAddr, .apicAccessAddr, .pmlAddress,
        .vmreadBitmap, .veInformationAddr, .vmFunctionControl, .tscMultiplier, .entryExceptionErrorCode,
        .entryInstructionLength,
    ]
    /// Not loaded, or with a way of its own.
    private static let left: [VMCSField] = [
        .guestSmbase, .guestInterruptStatus, .pmlIndex, .preemptionTimerValue, .guestIa32Bndcfgs,
    ]
    /// Places in memory that the processor may write to.
    private static let written: Set<VMCSField> = [.virtualApicAddr, .veInformationAddr, .pmlAddress]
    /// Bits that leave the machine without its interrupts ("external-interrupt exiting" cleared, "acknowledge interrupt
    /// on exit" set) or without EFER.NXE, which its page tables need ("load IA32_EFER" cleared).
    private static let kept: [VMCSField: UInt64] = [.pinControls: 1, .exitControls: 1 << 15 | 1 << 21]

    /// - Parameter capabilities: fields are among those that this processor has.
    init(seed: UInt64, _ capabilities: Capabilities) {
        random = Random(seed: seed)
        let processor = Fixture.empty(capabilities, memory: TestMemory())
        fields =
            (Self.controls + VMCSField.allCases.filter { $0.rawValue >> 10 & 3 == 2 && !Self.left.contains($0) })
            .filter { processor.vmread($0.rawValue).result == .succeed }
    }

    mutating func next() -> EntryCase {
        let base = random.pick(Base.allCases)
        var changes: [VMCSField: UInt64] = [:]
        for _ in 0...random.below(3) {
            if random.below(6) == 0 {
                changes[.entryInterruptionInfo] = injection()
            } else {
                let field = random.pick(fields)
                changes[field] = spoilt(field, base)
            }
        }
        makeHarmless(&changes)
        let ordered = changes.sorted { $0.key.rawValue < $1.key.rawValue }.map { ($0.key, $0.value) }
        return EntryCase(base: base, changes: ordered, expected: [])
    }

    /// Nothing that stays in the guest for ever, or walks through the host's memory.
    private func makeHarmless(_ changes: inout [VMCSField: UInt64]) {
        // The preemption timer isn't there to end HLT.
        if changes[.pinControls] != nil || changes[.exitControls] != nil { changes[.guestActivityState] = nil }
        // CR3 is a physical address where EPT may be off.
        if changes[.procControls] != nil || changes[.proc2Controls] != nil { changes[.guestCr3] = nil }
    }

    /// An event of any type but 7, which Bochs panics of.
    private mutating func injection() -> UInt64 {
        let vectors: [UInt64] = [0, 1, 2, 3, 6, 8, 13, 14, 17, 18, 20, 32, 255]
        var info = 1 << 31 | random.below(7) << 8 | random.pick(vectors)
        if random.below(3) == 0 { info |= 1 << 11 }
        if random.below(12) == 0 { info |= 1 << (12 + random.below(19)) }
        return info
    }

    private mutating func spoilt(_ field: VMCSField, _ base: Base) -> UInt64 {
        let before = base.fields.last { $0.field == field }?.value ?? 0
        if field == .guestActivityState { return random.pick([0, 1, 1, 4, 0x8000_0000]) }
        if Self.written.contains(field) {
            return random.pick([0x2000, 0x2008, 0x2800, 1 << 40, 1 << 41 | 0x1000, 1 << 63])
        }
        // The table that it names stays.
        if field == .eptPointer {
            return before ^ 1 << (random.below(2) == 0 ? random.below(12) : 40 + random.below(24))
        }
        let bits: UInt64 =
            switch field.width {
            case .bits16: 16
            case .bits32: field.name.hasSuffix("ACCESS_RIGHTS") ? 18 : 32
            case .bits64, .natural: 64
            }
        var value = before
        switch random.below(4) {
        case 0: value ^= 1 << random.below(bits)
        case 1: value ^= 1 << random.below(bits) | 1 << random.below(bits)
        case 2: value ^= 1 << random.below(min(bits, 20))
        default:
            value = random.pick([
                0, 1, 0x1000, 0xFFFF, 0xFFFFF, 1 << 39, 1 << 40, 1 << 47, 0xFFFF_8000_0000_0000, .max, random.next(),
            ])
        }
        // As wide as the field, so that the names of cases say what is written.
        if bits < 64 { value &= field.width == .bits16 ? 0xFFFF : 0xFFFF_FFFF }
        let kept = Self.kept[field] ?? 0
        return value & ~kept | before & kept
    }
}
