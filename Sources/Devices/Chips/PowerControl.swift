// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Sleep control, sleep status and reset, a byte each, at consecutive ports: all that hardware-reduced ACPI needs to end a machine.
///
/// Source: ACPI 6.5, 4.8.3.7 (sleep control and status registers) and 4.8.3.6 (reset register).
public final class PowerControl: ByteDevice {
    /// The first port, unless a machine says otherwise.
    public static let port: UInt64 = 0x600
    /// What the guest writes to the reset register: FADT's RESET_VALUE.
    public static let resetValue: UInt8 = 0x01
    /// The type of `_S5`, soft off.
    public static let softOff: UInt8 = 5

    private let onPowerOff: () -> Void
    private let onReset: () -> Void

    public init(onPowerOff: @escaping () -> Void, onReset: @escaping () -> Void) {
        self.onPowerOff = onPowerOff
        self.onReset = onReset
    }

    // SLP_EN is write-only, and nothing ever wakes this machine (WAK_STS).
    func readByte(_ offset: UInt64) -> UInt8 { 0 }

    func writeByte(_ offset: UInt64, _ value: UInt8) {
        switch offset {
        case 0:
            // Bit 5 is SLP_EN, bits 4:2 SLP_TYPx. There is no other sleep than the last one.
            if value & 0x20 != 0, value >> 2 & 7 == Self.softOff { onPowerOff() }
        case 2: if value == Self.resetValue { onReset() }
        default: break
        }
    }
}

/// The reset control register of PC chip sets at port 0xCF9.
public final class ResetControl: ByteDevice {
    public static let port: UInt64 = 0xCF9
    private let onReset: () -> Void
    private var value: UInt8 = 0

    public init(onReset: @escaping () -> Void) { self.onReset = onReset }

    func readByte(_ offset: UInt64) -> UInt8 { offset == 0 ? value : 0xFF }

    func writeByte(_ offset: UInt64, _ value: UInt8) {
        guard offset == 0 else { return }
        // Bit 2 going up is the reset; bit 1 says how hard, bit 3 whether by way of the power supply.
        let isReset = value & ~self.value & 0x04 != 0
        self.value = value & 0x0E
        if isReset { onReset() }
    }
}
