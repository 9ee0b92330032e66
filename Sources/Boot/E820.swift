// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A row of the memory map that firmware gives an operating system. ACPI 6.4, 15 "System Address Map Interfaces".
public struct MemoryRange: Equatable, Sendable {
    public enum Kind: UInt32, Sendable {
        case ram = 1
        case reserved = 2
        /// Tables that the system may reuse as RAM once it has read them.
        case acpi = 3
    }

    public let address: UInt64
    public let size: UInt64
    public let kind: Kind

    public init(_ range: Range<UInt64>, _ kind: Kind) {
        address = range.lowerBound
        size = range.upperBound - range.lowerBound
        self.kind = kind
    }

    public var range: Range<UInt64> { address..<address + size }

    /// The map of a machine with that much RAM.
    ///
    /// Below 640 KiB, from 1 MiB to the gap and above 4 GiB is RAM; the EBDA is reserved. What is between 640 KiB and
    /// 1 MiB is no RAM to the guest, though there is memory behind it for the ACPI tables.
    public static func map(memorySize: UInt64) -> [MemoryRange] {
        var map = [
            MemoryRange(0..<Layout.ebda, .ram),
            MemoryRange(Layout.ebda..<Layout.endOfLowMemory, .reserved),
            MemoryRange(Layout.acpi..<Layout.highMemory, .acpi),
        ]
        for range in Layout.ram(memorySize) where range.upperBound > Layout.highMemory {
            map.append(MemoryRange(max(range.lowerBound, Layout.highMemory)..<range.upperBound, .ram))
        }
        return map
    }
}
