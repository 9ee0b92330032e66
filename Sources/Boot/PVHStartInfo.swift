// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a kernel that is entered by PVH finds at EBX. Xen, `public/arch-x86/hvm/start_info.h`, version 1.
public struct PVHStartInfo: Sendable {
    public var commandLine: UInt64
    /// Empty: there is none.
    public var initrd: Range<UInt64>
    public var rsdp: UInt64
    public var memory: [MemoryRange]

    public init(commandLine: UInt64, initrd: Range<UInt64>, rsdp: UInt64, memory: [MemoryRange]) {
        self.commandLine = commandLine
        self.initrd = initrd
        self.rsdp = rsdp
        self.memory = memory
    }

    private static let size: UInt64 = 56
    private static let moduleSize: UInt64 = 32

    /// The start info, and behind it the lists that it points to.
    public func bytes(at address: UInt64) -> [UInt8] {
        let modules = address + Self.size
        let map = modules + Self.moduleSize
        var bytes: [UInt8] = []
        bytes.append(integer: UInt32(0x336E_C578))  // magic
        bytes.append(integer: UInt32(1))  // version: with a memory map
        bytes.append(integer: UInt32(0))  // flags
        bytes.append(integer: UInt32(initrd.isEmpty ? 0 : 1))
        bytes.append(integer: initrd.isEmpty ? 0 : modules)
        bytes.append(integer: commandLine)
        bytes.append(integer: rsdp)
        bytes.append(integer: map)
        bytes.append(integer: UInt32(memory.count))
        bytes.append(integer: UInt32(0))

        bytes.append(integer: initrd.lowerBound)
        bytes.append(integer: initrd.upperBound - initrd.lowerBound)
        bytes.append(integer: UInt64(0))  // its command line
        bytes.append(integer: UInt64(0))

        for range in memory {
            bytes.append(integer: range.address)
            bytes.append(integer: range.size)
            bytes.append(integer: range.kind.rawValue)
            bytes.append(integer: UInt32(0))
        }
        return bytes
    }
}
