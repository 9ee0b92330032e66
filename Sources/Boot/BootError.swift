// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Why a kernel that is fine can't be started on this machine.
public enum BootError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Bytes of RAM; not a multiple of 4 KiB, or beyond what can be addressed.
    case memorySize(UInt64)
    /// Part of the kernel's addresses is no RAM, or is used for what the kernel is told.
    case kernelPlace(Range<UInt64>, ram: Range<UInt64>)
    /// Bytes of the initrd, and the room that there is for it.
    case initrdSize(UInt64, room: Range<UInt64>)
    case commandLineSize(Int, limit: Int)
    /// At this byte there is a zero: the kernel would see nothing behind it.
    case commandLineZero(at: Int)
    case noPVHEntry
    case acpiSize(UInt64)

    public var description: String {
        switch self {
        case .memorySize(let size):
            "memory: 0x\(hex(size)) bytes can't be a guest's: a multiple of 4 KiB from 2 MiB to 1 PiB is wanted"
        case .kernelPlace(let range, let ram):
            "kernel: it needs \(text(range)), but memory for it is \(text(ram)): give the guest more memory"
        case .initrdSize(let size, let room):
            "initrd: its 0x\(hex(size)) bytes don't fit in \(text(room)), which the kernel leaves: "
                + "give the guest more memory, or take a smaller initrd"
        case .commandLineSize(let size, let limit):
            "command line: it has \(size) bytes, this kernel takes \(limit)"
        case .commandLineZero(let at): "command line: byte \(at) is zero, which would end it"
        case .noPVHEntry: "kernel: it has no PVH entry point; start it by the 64-bit protocol"
        case .acpiSize(let size):
            "ACPI: the tables have 0x\(hex(size)) bytes, there is room for 0x\(hex(Layout.acpiRoom)): use fewer devices"
        }
    }

    private func hex(_ value: UInt64) -> String { String(value, radix: 16) }

    private func text(_ range: Range<UInt64>) -> String { "0x\(hex(range.lowerBound))..<0x\(hex(range.upperBound))" }
}
