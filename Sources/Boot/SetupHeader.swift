// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Offsets of the setup header's fields. They are the same from a bzImage's start and from boot_params's.
/// Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
enum SetupHeader {
    static let start: UInt64 = 0x1F1
    static let setupSectors: UInt64 = 0x1F1
    static let sizeInParagraphs: UInt64 = 0x1F4
    static let videoMode: UInt64 = 0x1FA
    static let bootFlag: UInt64 = 0x1FE
    /// The second byte of a jump over the rest of the header: the header's end, counted from 0x202.
    static let jumpDistance: UInt64 = 0x201
    static let magic: UInt64 = 0x202
    static let version: UInt64 = 0x206
    static let releaseString: UInt64 = 0x20E
    static let loaderType: UInt64 = 0x210
    static let loadFlags: UInt64 = 0x211
    static let initrdAddress: UInt64 = 0x218
    static let initrdSize: UInt64 = 0x21C
    static let commandLineAddress: UInt64 = 0x228
    static let initrdAddressMax: UInt64 = 0x22C
    static let alignment: UInt64 = 0x230
    static let isRelocatable: UInt64 = 0x234
    static let extendedFlags: UInt64 = 0x236
    static let commandLineLimit: UInt64 = 0x238
    static let payloadOffset: UInt64 = 0x248
    static let payloadSize: UInt64 = 0x24C
    static let preferredAddress: UInt64 = 0x258
    static let initSize: UInt64 = 0x260

    /// The fields up to here came with version 2.12.
    static let endOf212: UInt64 = 0x264
    /// What boot_params has room for.
    static let limit: UInt64 = 0x290

    static let bootFlagValue: UInt16 = 0xAA55
    /// "HdrS"
    static let magicValue: UInt32 = 0x5372_6448

    /// Of `loadFlags`: the protected-mode part belongs to 1 MiB or above.
    static let loadedHigh: UInt8 = 1 << 0
    /// Of `loadFlags`: the heap's end is given.
    static let canUseHeap: UInt8 = 1 << 7
    /// Of `extendedFlags`: there is a 64-bit entry point, 0x200 behind the 32-bit one.
    static let has64BitEntry: UInt16 = 1 << 0
}
