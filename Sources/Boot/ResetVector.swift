// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Where a PC's processors start after a reset, and what a guest jumps to, in real mode, to restart the PC: there is no firmware here, so
/// a few instructions ask for what it wants.
///
/// Linux does so where ACPI is hardware-reduced: it takes EFI for the way to restart such a machine, finds none and falls back to the BIOS
/// before it tries anything else. Source: SDM vol. 3, 10.1.4 (first instruction), of which this is the alias below 1 MiB.
enum ResetVector {
    static let address: UInt64 = 0xF_FFF0

    /// At F000:FFF0. No stack, no memory: whatever state the guest leaves, it does.
    static let code: [UInt8] = [
        0xBA, UInt8(Layout.resetPort & 0xFF), UInt8(Layout.resetPort >> 8), // mov dx, resetPort
        0xB0, Layout.resetValue, // mov al, resetValue
        0xEE, // out dx, al
        0xFA, // 1: cli
        0xF4, // hlt
        0xEB, 0xFC, // jmp 1b
    ]
}
