// SPDX-License-Identifier: MIT OR GPL-2.0-only
package import KVMABI
package import VMXSim

/// A VMCS that VM entry takes or refuses: a base, what is changed in it, and the checks that must fail, none others.
package struct EntryCase: Sendable, CustomStringConvertible {
    package var base: Base
    package var changes: [FieldValue]
    /// Quadwords of physical memory.
    package var memory: [UInt64: UInt64]
    /// The processor the case is about.
    package var variant: Variant
    package var expected: [EntryCheck]
    /// The number (from 1) of the MSR that VM entry can't load, where that is what fails.
    package var wrongMSR: UInt64

    package init(
        base: Base, changes: [(VMCSField, UInt64)], memory: [UInt64: UInt64] = [:], variant: Variant = .asIs,
        expected: [EntryCheck], wrongMSR: UInt64 = 0
    ) {
        self.base = base
        self.changes = changes.map { FieldValue($0.0, $0.1) }
        self.memory = memory
        self.variant = variant
        self.expected = expected
        self.wrongMSR = wrongMSR
    }

    /// "long64 GUEST_CR4=0x20", with what memory holds and the variant: no two cases have the same.
    package var name: String {
        let fields = changes.map { " \($0.field.name)=0x\(String($0.value, radix: 16))" }.joined()
        let words = memory.sorted { $0.key < $1.key }.map {
            " [0x\(String($0.key, radix: 16))]=0x\(String($0.value, radix: 16))"
        }
        return "\(base)\(fields)\(words.joined())" + (variant.name == Variant.asIs.name ? "" : " \(variant.name)")
    }

    package var description: String {
        "\(name) -> \(expected.isEmpty ? "entered" : expected.map { "\($0)" }.joined(separator: ","))"
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
