// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import KVMABI
import TestMachine

/// A VM exit in words. SDM vol. 3, 28.2.1 "Basic VM-Exit Information".
struct ExitDetail {
    /// `EPT_VIOLATION`
    let reason: String
    /// `write`, `out 0x3f8 1 byte`; empty where the reason says all.
    let text: String

    init(reason: UInt32, qualification: UInt64, interruption: UInt32, vectoring: UInt32) {
        let basic = VMXExitReason(rawValue: UInt16(truncatingIfNeeded: reason))
        self.reason = basic?.name ?? "exit \(reason & 0xFFFF)"
        var words: [String] = []
        if reason & 1 << 31 != 0 { words.append("VM entry failed") }
        switch basic {
        case .ioInstruction: words.append(Self.port(qualification))
        case .eptViolation: words.append(Self.access(qualification))
        case .crAccess: words.append(Self.controlRegister(qualification))
        case .drAccess:
            let register = "dr\(qualification & 7)"
            let other = Self.register(qualification >> 8)
            words.append("mov " + (qualification & 1 << 4 == 0 ? "\(register), \(other)" : "\(other), \(register)"))
        case .exceptionNmi where interruption & 1 << 31 != 0:
            words.append(Self.vector(interruption))
            if qualification != 0 { words.append("at \(hex(qualification))") }
        case .invlpg: words.append(hex(qualification))
        case .taskSwitch: words.append("selector \(hex(qualification & 0xFFFF))")
        default: if qualification != 0 { words.append("qualification \(hex(qualification))") }
        }
        if vectoring & 1 << 31 != 0 { words.append("while delivering \(Self.vector(vectoring))") }
        text = words.joined(separator: " ")
    }

    /// Table "Exit Qualification for I/O Instructions".
    private static func port(_ qualification: UInt64) -> String {
        let size = (qualification & 7) + 1
        var text = qualification & 1 << 3 == 0 ? "out" : "in"
        if qualification & 1 << 4 != 0 { text += " string" }
        if qualification & 1 << 5 != 0 { text += " rep" }
        return "\(text) \(hex(qualification >> 16 & 0xFFFF)) \(size) byte\(size == 1 ? "" : "s")"
    }

    /// Table "Exit Qualification for EPT Violations".
    private static func access(_ qualification: UInt64) -> String {
        let kinds = [(0, "read"), (1, "write"), (2, "fetch")].filter { qualification & 1 << UInt64($0.0) != 0 }
        // Bit 7: a linear address led here; bit 8: itself, not a page-table entry on its way.
        let isWalk = qualification & 1 << 7 != 0 && qualification & 1 << 8 == 0
        return kinds.map(\.1).joined(separator: "+") + (isWalk ? " of a page table" : "")
    }

    /// Table "Exit Qualification for Control-Register Accesses".
    private static func controlRegister(_ qualification: UInt64) -> String {
        let register = "cr\(qualification & 15)"
        let other = Self.register(qualification >> 8)
        switch qualification >> 4 & 3 {
        case 0: return "mov \(register), \(other)"
        case 1: return "mov \(other), \(register)"
        case 2: return "clts"
        default: return "lmsw \(hex(qualification >> 16 & 0xFFFF))"
        }
    }

    private static func register(_ number: UInt64) -> String {
        let names = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"]
        let index = Int(number & 15)
        return index < 8 ? names[index] : "r\(index)"
    }

    /// An event by its interruption information: `#PF`, `NMI`, `interrupt 32`.
    static func vector(_ info: UInt32) -> String {
        let vector = Int(info & 0xFF)
        switch info >> 8 & 7 {
        case 0: return "interrupt \(vector)"
        case 2: return "NMI"
        case 4: return "int \(vector)"
        default:
            let names = [
                0: "#DE", 1: "#DB", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF", 10: "#TS", 11: "#NP",
                12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC", 19: "#XM", 20: "#VE", 21: "#CP",
            ]
            return names[vector] ?? "exception \(vector)"
        }
    }
}
