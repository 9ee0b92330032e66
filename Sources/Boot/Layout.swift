// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Where everything is in a guest's address spaces. All that a loader and a device model must agree on is here.
///
///         0x1000  GDT                               0x2000  PVH start info, its module and memory map
///         0x7000  boot_params                       0x9000  six pages of page tables
///        0x20000  command line (64 KiB)            0x9fc00  EBDA: reserved, zero
///        0xe0000  ACPI tables (124 KiB)            0xffff0  reset vector
///                                              0x100000  kernel; initrd as high as it may be
///     0xc0000000  end of RAM below 4 GiB        0xd0000000  virtio-mmio, a page for each device
///     0xfec00000  IOAPIC                        0xfee00000  local APICs
///     0xfffbc000  KVM's own page and TSS       0x100000000  the rest of RAM
///
/// What is below 1 MiB is written before the guest starts, and Linux copies what it needs before it uses those pages.
public enum Layout {
    // MARK: Below 1 MiB

    public static let gdt: UInt64 = 0x1000
    public static let pvhStartInfo: UInt64 = 0x2000
    public static let bootParams: UInt64 = 0x7000
    public static let pageTables: UInt64 = 0x9000
    public static let commandLine: UInt64 = 0x2_0000
    public static let commandLineRoom: UInt64 = 0x1_0000
    /// RAM that a PC's firmware keeps; Linux looks for old tables there.
    public static let ebda: UInt64 = 0x9_FC00
    public static let endOfLowMemory: UInt64 = 0xA_0000
    /// In the area that is searched for an RSDP by kernels that are not told where it is.
    public static let acpi: UInt64 = 0xE_0000
    public static let acpiRoom: UInt64 = 0x1_F000

    // MARK: Above

    public static let highMemory: UInt64 = 0x10_0000
    /// RAM ends here at the latest and goes on at `aboveGap`: between them are devices.
    public static let gap: UInt64 = 0xC000_0000
    public static let aboveGap: UInt64 = 0x1_0000_0000
    public static let virtio: UInt64 = 0xD000_0000
    /// A device has a page of its own: an EPT entry or an ioeventfd concerns no other.
    public static let virtioSize: UInt64 = 0x1000
    public static let ioapic: UInt64 = 0xFEC0_0000
    public static let localAPIC: UInt64 = 0xFEE0_0000
    /// A page for KVM_SET_IDENTITY_MAP_ADDR, then three for KVM_SET_TSS_ADDR: hosts without unrestricted guest use them.
    public static let kvmIdentityMap: UInt64 = 0xFFFB_C000
    public static let kvmTSS: UInt64 = 0xFFFB_D000
    /// One past what x86-64 can address physically.
    static let highestAddress: UInt64 = 1 << 52

    // MARK: Ports and interrupts

    /// ACPI's sleep control register (one byte): a guest powers off by writing `powerOff`. ACPI 6.4, 4.8.3.7.
    public static let sleepControlPort: UInt16 = 0x600
    /// ACPI's sleep status register (one byte): reads as 0 (never wakes), writes are ignored.
    public static let sleepStatusPort: UInt16 = 0x601
    /// ACPI's reset register (one byte): a guest resets by writing `resetValue`.
    public static let resetPort: UInt16 = 0x602
    public static let resetValue: UInt8 = 1
    /// SLP_TYP of soft off, as the DSDT's `\_S5` says.
    public static let softOffType: UInt8 = 5
    /// What a guest writes to `sleepControlPort` to be powered off: SLP_TYP in bits 4:2, SLP_EN in bit 5.
    public static let powerOff: UInt8 = softOffType << 2 | 1 << 5

    public static let serialPort: UInt16 = 0x3F8
    public static let keyboardGSI: UInt32 = 1
    public static let serialGSI: UInt32 = 4
    public static let rtcGSI: UInt32 = 8
    /// A pulse on this pin (edge, active high) presses the power button: `system_powerdown`.
    public static let powerButtonGSI: UInt32 = 9
    /// Pins of a 24-pin IOAPIC that no fixed device has, for virtio devices in this order.
    public static let freeGSIs: [UInt32] = [5, 6, 7] + Array(10...23)

    /// The ranges of RAM that a size makes: up to the gap, and the rest above 4 GiB.
    public static func ram(_ size: UInt64) -> [Range<UInt64>] {
        size <= gap ? [0..<size] : [0..<gap, aboveGap..<aboveGap + (size - gap)]
    }
}
