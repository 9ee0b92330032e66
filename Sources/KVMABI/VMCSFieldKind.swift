// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// How wide a field of the VMCS is. SDM vol. 3, appendix B.
public enum VMCSFieldWidth: Sendable {
    case bits16
    case bits32
    case bits64
    /// 64 bits on a processor with Intel 64.
    case natural
}

/// Whether VMWRITE may name a field.
public enum VMCSFieldAccess: Sendable {
    case readWrite
    /// Written by the processor at a VM exit.
    case readOnly
}
