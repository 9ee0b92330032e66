// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The Differentiated System Description Table: every device that a guest can't find by itself. ACPI 6.4, 5.2.11.1.
enum DSDT {
    static func bytes(for board: Board) -> [UInt8] {
        var devices: [[UInt8]] = []
        if board.hasSerial { devices.append(serial) }
        if board.hasRTC { devices.append(clock) }
        if board.hasKeyboardController { devices.append(keyboard) }
        if board.hasPowerButton { devices += powerButton }
        devices += board.virtio.enumerated().map { virtio($0.offset, $0.element) }
        // Soft off; the second number is for the second of two registers, which this machine hasn't.
        let off = AML.package([AML.integer(UInt64(Layout.softOffType)), AML.integer(0), AML.integer(0), AML.integer(0)])
        // Revision 2: integers have 64 bits.
        return ACPITable.make("DSDT", revision: 2, AML.scope("\\_SB", devices) + AML.define("\\_S5", off))
    }

    private static var serial: [UInt8] {
        AML.device(
            "COM1",
            [
                AML.define("_HID", AML.eisaID("PNP0501")), AML.define("_UID", AML.integer(1)),
                Resource.current([.ports(Layout.serialPort, count: 8), .irq(Layout.serialGSI)]),
            ])
    }

    private static var clock: [UInt8] {
        AML.device(
            "RTC",
            [
                AML.define("_HID", AML.eisaID("PNP0B00")),
                Resource.current([.ports(0x70, count: 2), .irq(Layout.rtcGSI)]),
            ])
    }

    private static var keyboard: [UInt8] {
        AML.device(
            "KBD",
            [
                AML.define("_HID", AML.eisaID("PNP0303")),
                Resource.current([.ports(0x60, count: 1), .ports(0x64, count: 1), .irq(Layout.keyboardGSI)]),
            ])
    }

    /// A button that isn't a fixed one, and the Generic Event Device whose interrupt says that it was pressed.
    /// ACPI 6.4, 4.8.2.2.1.2 and 5.6.9: the guest calls `_EVT` with the interrupt's number.
    private static var powerButton: [[UInt8]] {
        let pin = Layout.powerButtonGSI
        return [
            AML.device("PWRB", [AML.define("_HID", AML.eisaID("PNP0C0C")), AML.define("_UID", AML.integer(0))]),
            AML.device(
                "GED",
                [
                    AML.define("_HID", AML.string("ACPI0013")), AML.define("_UID", AML.integer(0)),
                    Resource.current([.interrupt(pin, .edge)]),
                    AML.method(
                        "_EVT", arguments: 1,
                        [
                            AML.ifEqual(AML.argument0, AML.integer(UInt64(pin)), [AML.notify("\\_SB.PWRB", 0x80)])
                        ]),
                ]),
        ]
    }

    /// `V000`, `V001`, ... by their order.
    private static func virtio(_ index: Int, _ device: Board.VirtioDevice) -> [UInt8] {
        let digits = String(index, radix: 16, uppercase: true)
        return AML.device(
            "V" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits,
            [
                AML.define("_HID", AML.string("LNRO0005")), AML.define("_UID", AML.integer(UInt64(index))),
                // Its accesses to memory are coherent with the processors' caches.
                AML.define("_CCA", AML.integer(1)),
                Resource.current([.memory(device.address, size: device.size), .interrupt(device.gsi, device.trigger)]),
            ])
    }
}
