// SPDX-License-Identifier: MIT OR GPL-2.0-only
package import X86

/// The code sizes that cases run in, and where things are then: the same in all, low enough for 16-bit addresses.
package enum CaseMode: Int, CaseIterable, CustomStringConvertible, Sendable {
    case bits16 = 16
    case bits32 = 32
    case bits64 = 64

    package var description: String { "\(rawValue)-bit" }
    /// General registers and vector registers.
    package var registerCount: Int { self == .bits64 ? 16 : 8 }

    /// Memory that instructions may read and write: random at the start, compared at the end.
    package static let data = 0x1000..<0x4000
    /// Memory that may be read and executed. All else faults.
    package static let code = 0x8000..<0xF000
    package static let memorySize = 0x1_0000

    /// Flat segments, privilege 0, no paging: 64-bit mode without page tables isn't something a processor can be in, but is what
    /// instruction tests need.
    package func prepare(_ processor: inout Processor) {
        processor.cr4 = CR4.fxsave | CR4.simdExceptions | CR4.fsgsbase
        switch self {
        case .bits16:
            processor.cr0 = CR0.extensionType
            for number in 0..<6 { processor.segments[number] = Segment(limit: 0xFFFF, access: 0x93) }
        case .bits32, .bits64:
            processor.cr0 = CR0.protection | CR0.extensionType
            for number in 0..<6 { processor.segments[number] = Segment(selector: 8, limit: .max, access: 0xC093) }
            let isLong = self == .bits64
            processor.segments[SegmentRegister.cs] = Segment(
                selector: 16, limit: .max, access: isLong ? 0xA09B : 0xC09B)
            if isLong { processor.efer = EFER.longModeEnable | EFER.longModeActive | EFER.syscall }
        }
        processor.refreshMode()
    }
}
