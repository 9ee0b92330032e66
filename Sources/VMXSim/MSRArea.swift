// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// What the areas of MSRs in a VMCS read and write.
public protocol MSRFile {
    /// nil where RDMSR would raise #GP.
    mutating func read(_ index: UInt32) -> UInt64?
    /// False where WRMSR would raise #GP.
    mutating func write(_ index: UInt32, _ value: UInt64) -> Bool
}

/// The areas of MSRs that VM entries and exits load and store. SDM vol. 3, 25.7.2, 25.8.2.
enum MSRArea {
    /// Loads an area: 0, or the number (from 1) of the entry that can't be. SDM vol. 3, 27.4.
    static func load<File: MSRFile>(
        _ vmcs: VMCS, _ address: VMCSField, _ count: VMCSField, _ memory: any PhysicalMemory, _ file: inout File
    ) -> UInt64 {
        for number in 0..<vmcs[count] {
            let at = vmcs[address] + number * 16
            let head = memory.load(at)
            guard head >> 32 == 0, isLoadable(UInt32(truncatingIfNeeded: head)),
                file.write(UInt32(truncatingIfNeeded: head), memory.load(at + 8))
            else { return number + 1 }
        }
        return 0
    }

    /// Stores an area: 0, or the number of the entry that can't be. SDM vol. 3, 28.4.
    static func store<File: MSRFile>(
        _ vmcs: VMCS, _ memory: any PhysicalMemory, _ file: inout File
    ) -> UInt64 {
        for number in 0..<vmcs[.exitMsrStoreCount] {
            let at = vmcs[.exitMsrStoreAddr] + number * 16
            let head = memory.load(at)
            let index = UInt32(truncatingIfNeeded: head)
            guard head >> 32 == 0, !isX2APIC(index), let value = file.read(index) else { return number + 1 }
            memory.store(at + 8, value)
        }
        return 0
    }

    private static func isX2APIC(_ index: UInt32) -> Bool { index >> 8 == 8 }

    /// Not FS.base, GS.base, x2APIC's, IA32_SMM_MONITOR_CTL, nor microcode's.
    private static func isLoadable(_ index: UInt32) -> Bool {
        switch index {
        case 0xC000_0100, 0xC000_0101, 0x9B, 0x79, 0x8B: false
        default: !isX2APIC(index)
        }
    }
}
