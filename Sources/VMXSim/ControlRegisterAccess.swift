// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What becomes of an access to a control register in a guest. SDM vol. 3, 26.1.3 and 26.3.
public enum ControlRegisterAccess: Sendable, Equatable {
    /// VM exit 28 with this qualification.
    case exit(qualification: UInt64)
    /// The register's new value.
    case write(UInt64)
    /// #GP(0): a bit that VMX operation fixes.
    case generalProtection

    /// Kinds of access in the qualification. SDM vol. 3, table 28-3.
    public enum Kind: UInt64, Sendable { case movTo = 0, movFrom = 1, clts = 2, lmsw = 3 }

    public static func qualification(
        _ number: Int, _ kind: Kind, register: Int = 0, lmswSource: UInt16 = 0, lmswFromMemory: Bool = false
    ) -> UInt64 {
        UInt64(number & 15) | kind.rawValue << 4 | (lmswFromMemory ? 1 << 6 : 0) | UInt64(register & 15) << 8
            | UInt64(lmswSource) << 16
    }
}
