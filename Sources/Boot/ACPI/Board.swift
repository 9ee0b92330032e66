// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a guest's ACPI tables tell of.
public struct Board: Equatable, Sendable {
    /// How a device's interrupt reaches the IOAPIC.
    public enum Trigger: Sendable {
        /// A pulse for each event; nothing is to be acknowledged at the IOAPIC.
        case edge
        /// High as long as the device wants something; ends with an EOI.
        case level
    }

    /// A virtio device over MMIO.
    public struct VirtioDevice: Equatable, Sendable {
        /// Of its registers, below 4 GiB.
        public var address: UInt32
        public var size: UInt32
        public var gsi: UInt32
        public var trigger: Trigger

        public init(address: UInt32, size: UInt32 = UInt32(Layout.virtioSize), gsi: UInt32, trigger: Trigger) {
            self.address = address
            self.size = size
            self.gsi = gsi
            self.trigger = trigger
        }
    }

    /// APIC IDs, the boot processor's first.
    public var apicIDs: [UInt32]
    public var virtio: [VirtioDevice] = []
    /// A 16550 at 0x3F8.
    public var hasSerial = true
    /// A CMOS clock at 0x70.
    public var hasRTC = true
    /// An i8042 at 0x60 and 0x64.
    public var hasKeyboardController = false
    /// A button at `Layout.powerButtonGSI`, for the VMM's `system_powerdown`.
    public var hasPowerButton = true
    /// A pair of 8259s beside the IOAPIC.
    public var hasPIC = false

    public init(apicIDs: [UInt32], virtio: [VirtioDevice] = []) {
        self.apicIDs = apicIDs
        self.virtio = virtio
    }

    /// Processors numbered from 0.
    public init(processors: Int, virtio: [VirtioDevice] = []) {
        self.init(apicIDs: (0..<UInt32(processors)).map { $0 }, virtio: virtio)
    }
}
