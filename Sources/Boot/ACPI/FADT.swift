// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The Fixed ACPI Description Table of a hardware-reduced machine. ACPI 6.4, 5.2.9.
enum FADT {
    private static let size = 276

    static func bytes(for board: Board, dsdt: UInt64) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: size - ACPITable.headerSize)
        func put(_ value: some FixedWidthInteger, at offset: Int) { body.put(value, at: offset - ACPITable.headerSize) }
        /// A Generic Address Structure (5.2.3.2) for a port of one byte.
        func put(port: UInt16, at offset: Int) {
            put(UInt8(1), at: offset)  // system I/O
            put(UInt8(8), at: offset + 1)  // bits
            put(UInt8(1), at: offset + 3)  // accessed by bytes
            put(UInt64(port), at: offset + 4)
        }
        put(Flags.all, at: 112)
        put(bootArchitecture(board), at: 109)
        put(port: Layout.resetPort, at: 116)
        put(Layout.resetValue, at: 128)
        put(UInt8(4), at: 131)  // ACPI 6.4
        put(dsdt, at: 140)
        put(port: Layout.sleepControlPort, at: 244)
        put(port: Layout.sleepStatusPort, at: 256)
        body.put(Array("LikeXVMM".utf8), at: 268 - ACPITable.headerSize)
        return ACPITable.make("FACP", revision: 6, body)
    }

    /// Table 5.10.
    private enum Flags {
        static let wbinvd: UInt32 = 1 << 0
        /// The power button and the sleep button, if any, are devices of the DSDT's.
        static let noFixedPowerButton: UInt32 = 1 << 4
        static let noFixedSleepButton: UInt32 = 1 << 5
        static let resetRegister: UInt32 = 1 << 10
        static let headless: UInt32 = 1 << 12
        static let hardwareReduced: UInt32 = 1 << 20
        static let all =
            wbinvd | noFixedPowerButton | noFixedSleepButton | resetRegister | headless | hardwareReduced
    }

    /// IAPC_BOOT_ARCH, table 5.11.
    private static func bootArchitecture(_ board: Board) -> UInt16 {
        var flags: UInt16 = 1 << 2  // no VGA
        if board.hasSerial { flags |= 1 << 0 }  // devices on the ISA bus
        if board.hasKeyboardController { flags |= 1 << 1 }
        if !board.hasRTC { flags |= 1 << 5 }
        return flags
    }
}
