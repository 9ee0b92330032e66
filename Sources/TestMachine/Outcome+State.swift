// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM

extension Outcome {
    /// A part of the final state by name, as a text that is the same on two devices when the part is.
    public struct StatePart: Equatable, Sendable {
        public let name: String
        public let value: String
    }

    /// Registers, special registers, descriptor tables and the FPU. Nothing in it depends on time.
    public var state: [StatePart] {
        var parts = Register.allCases.map { StatePart(name: $0.rawValue, value: hex(value(of: $0))) }
        let sregs = specialRegisters
        let segments = [
            ("cs", sregs.cs), ("ds", sregs.ds), ("es", sregs.es), ("fs", sregs.fs), ("gs", sregs.gs), ("ss", sregs.ss),
            ("tr", sregs.tr), ("ldt", sregs.ldt),
        ]
        for (name, segment) in segments { parts.append(StatePart(name: name, value: segment.summary)) }
        for (name, table) in [("gdt", sregs.gdt), ("idt", sregs.idt)] {
            parts.append(StatePart(name: name, value: "base \(hex(table.base)) limit \(hex(table.limit))"))
        }
        parts.append(StatePart(name: "apic_base", value: hex(sregs.apic_base)))
        let pending = unsafe withUnsafeBytes(of: sregs.interrupt_bitmap) { unsafe [UInt8]($0) }
        let vectors = (0..<256).filter { pending[$0 / 8] & (1 << UInt8($0 % 8)) != 0 }
        parts.append(
            StatePart(name: "interrupts", value: vectors.isEmpty ? "none" : vectors.map(hex).joined(separator: " ")))
        return parts + fpu.parts
    }

    /// All of `state` in one number.
    public var stateDigest: UInt64 {
        var hash = FNV1a()
        for part in state { for byte in (part.name + part.value).utf8 { hash.add(byte) } }
        return hash.value
    }

    /// A number for the memory of all slots, in their order.
    public var memoryDigest: UInt64 {
        var hash = FNV1a()
        for slot in slots {
            hash.add(UInt64(slot.slot))
            hash.add(slot.base.rawValue)
            slot.withBytes { hash.add($0) }
        }
        return hash.value
    }
}

extension kvm_fpu {
    /// The control and status words, and a number for the registers. Where the last x87 instruction was is left out:
    /// processors keep it for some instructions only. So is MXCSR: XSAVE may leave it out with registers in their initial
    /// state, and stock KVM's KVM_GET_FPU then shows a 0 that the guest would never read.
    fileprivate var parts: [Outcome.StatePart] {
        let stack = unsafe withUnsafeBytes(of: fpr) { unsafe [UInt8]($0) }
        let vectors = unsafe withUnsafeBytes(of: xmm) { unsafe [UInt8]($0) }
        return [
            Outcome.StatePart(name: "x87", value: "control \(hex(fcw)) status \(hex(fsw)) tags \(hex(ftwx))"),
            Outcome.StatePart(name: "st digest", value: hex(FNV1a.digest(stack))),
            Outcome.StatePart(name: "xmm digest", value: hex(FNV1a.digest(vectors))),
        ]
    }
}

extension kvm_segment {
    /// What of a segment the processor looks at. All unusable segments are alike.
    var summary: String {
        if unusable != 0 { return "unusable" }
        let flags = [("g", g), ("db", db), ("l", l), ("s", s), ("p", present), ("avl", avl)].filter { $0.1 != 0 }
        return "\(hex(selector)) base \(hex(base)) limit \(hex(limit)) type \(hex(type)) dpl \(dpl) "
            + flags.map { $0.0 }.joined(separator: ",")
    }
}
