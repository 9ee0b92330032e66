// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// The code sizes that tests run in.
enum Mode: Int, CaseIterable, CustomStringConvertible {
    case bits16 = 16
    case bits32 = 32
    case bits64 = 64

    var description: String { "\(rawValue)-bit" }

    /// Flat segments, privilege 0, no paging: 64-bit mode without page tables isn't something a processor can be in, but is what
    /// instruction tests need.
    func prepare(_ processor: inout Processor) {
        processor.cr4 = CR4.fxsave | CR4.simdExceptions | CR4.fsgsbase
        switch self {
        case .bits16:
            processor.cr0 = CR0.extensionType
            for number in 0..<6 { processor.segments[number] = Segment(limit: 0xFFFF, access: 0x93) }
        case .bits32, .bits64:
            processor.cr0 = CR0.protection | CR0.extensionType
            for number in 0..<6 { processor.segments[number] = Segment(selector: 8, limit: .max, access: 0xC093) }
            let long = self == .bits64
            processor.segments[SegmentRegister.cs] = Segment(
                selector: 16, limit: .max, access: long ? 0xA09B : 0xC09B)
            if long { processor.efer = EFER.longModeEnable | EFER.longModeActive | EFER.syscall }
        }
        processor.refreshMode()
    }
}
