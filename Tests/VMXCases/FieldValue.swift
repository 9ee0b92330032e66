// SPDX-License-Identifier: MIT OR GPL-2.0-only
package import KVMABI

/// A field of a VMCS and what is written to it.
package struct FieldValue: Sendable, Equatable {
    package var field: VMCSField
    package var value: UInt64

    package init(_ field: VMCSField, _ value: UInt64) {
        self.field = field
        self.value = value
    }
}
