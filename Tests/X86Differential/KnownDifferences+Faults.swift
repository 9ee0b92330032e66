// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

extension KnownDifferences {
    /// What it leaves behind when an instruction faults.
    static let faults: [KnownDifference] = [
        repeatedComparison,
        KnownDifference(
            name: "a store that reaches into missing memory stores its first part",
            reason: "vol. 3, 6.6: a fault leaves the state as it was before the instruction"
        ) {
            guard $0.ours.end == .memory, let theirs = $0.theirs else { return nil }
            return $0.with(
                memory: theirs.memory, in: UInt64(CaseMode.data.upperBound - 15)..<UInt64(CaseMode.data.upperBound))
        },
        KnownDifference(
            name: "PUSHA stores the last register first",
            reason:
                "vol. 2, PUSHA: \"pushes ... in the following order: EAX ...\", which shows when the stack ends half-way"
        ) {
            guard $0.instruction.name == "pusha", $0.ours.end == .memory, let theirs = $0.theirs else { return nil }
            let top = $0.start.state[Register.rsp] & ($0.mode == .bits16 ? 0xFFFF : 0xFFFF_FFFF)
            return $0.with(memory: theirs.memory, in: (top &- min(top, 32))..<top)
        },
        KnownDifference(
            name: "CMPXCHG8B and 16B forget flags that an instruction before them in the block left",
            reason: "vol. 2, CMPXCHG8B: \"the CF, PF, AF, SF, and OF flags are unaffected\""
        ) {
            $0.isInBlock && $0.instruction.name == "cmpxchg8b" ? $0.ours : nil
        },
        KnownDifference(
            name: "LOOPE and LOOPNE that count to zero forget flags that an instruction before them in the block left",
            reason: "vol. 2, LOOP: no flag is affected"
        ) {
            let count = $0.start.state[Register.rcx] & UInt64.max >> UInt64(64 - 8 * $0.instruction.addressSize)
            return $0.isInBlock && $0.instruction.name == "loop" && $0.instruction.opcode < 0xE2 && count == 1
                ? $0.ours : nil
        },
        KnownDifference(
            name: "RIP and flags of a missing access in the middle of a block",
            reason: "vol. 3, 6.6: the instruction can be restarted; Unicorn stops with what it last stored of them"
        ) {
            $0.isInBlock && $0.ours.end == .memory ? $0.ours : nil
        },
        KnownDifference(
            name: "CMPXCHG8B that can't be stored loads EDX and EAX, sets ZF and goes on",
            reason: "vol. 3, 6.6: a fault leaves the state as it was before the instruction"
        ) {
            guard $0.instruction.name == "cmpxchg8b", $0.ours.end == .memory, let theirs = $0.theirs else { return nil }
            var predicted = $0.with(flags: theirs.state.flags, in: Flag.zero)
            predicted.state[Register.rax] = theirs.state[Register.rax]
            predicted.state[Register.rdx] = theirs.state[Register.rdx]
            predicted.state.rip = theirs.state.rip
            return predicted
        },
        KnownDifference(
            name: "RCL and RCR that can't be stored set CF and OF",
            reason: "vol. 3, 6.6: a fault leaves the state as it was before the instruction"
        ) {
            guard ["rcl", "rcr"].contains($0.instruction.name), $0.ours.end == .memory, let theirs = $0.theirs else {
                return nil
            }
            return $0.with(flags: theirs.state.flags, in: Flag.carry | Flag.overflow)
        },
    ]

    /// What a sequence that an access to missing memory ends is expected to leave.
    static func imprecise(_ result: EngineResult, _ theirs: EngineResult) -> EngineResult {
        guard result.end == .memory else { return result }
        var result = result
        result.state.rip = theirs.state.rip
        result.state.flags = theirs.state.flags
        return result
    }
}

extension KnownDifferences {
    static let repeatedComparison = KnownDifference(
        name: "flags of a REP CMPS or SCAS that faults",
        reason:
            "vol. 2, REP: \"the EFLAGS value is restored to the state prior to the execution\"; Unicorn and AMD's processors leave the last comparison's"
    ) {
        guard $0.instruction.name == "string", $0.ours.end != .done, $0.comparesStrings, let theirs = $0.theirs else {
            return nil
        }
        return $0.with(flags: theirs.state.flags, in: Flag.status)
    }

    /// Where this machine's processor may differ.
    static let native = [
        repeatedComparison,
        KnownDifference(
            name: "which of CMPS's operands faults first",
            reason: "the SDM doesn't say; AMD's look at the second one first"
        ) {
            guard $0.comparesStrings, $0.ours.end == .exception(13) || $0.ours.end == .memory, let theirs = $0.theirs,
                theirs.end == .exception(13) || theirs.end == .memory
            else { return nil }
            var predicted = $0.with(flags: theirs.state.flags, in: Flag.status)
            predicted.end = theirs.end
            return predicted
        },
    ]
}

extension KnownDifference.Context {
    fileprivate var comparesStrings: Bool {
        [0xA6, 0xA7, 0xAE, 0xAF].contains(instruction.opcode) && instruction.modRM == nil
    }

    /// Whether an operand reaches beyond the segment's limit, or isn't canonical.
    var exceedsLimits: Bool {
        func exceeds(_ address: UInt64) -> Bool {
            switch mode {
            case .bits16: return address > 0xFFFF
            case .bits32: return address > 0xFFFF_FFFF
            case .bits64: return address &+ 0x8000_0000_0000 >= 1 << 48
            }
        }
        if let address = instruction.address, exceeds(address) || exceeds(address &+ 63) { return true }
        // String, stack and other instructions have operands that aren't in ModRM, up to 64 bytes around their pointers.
        guard instruction.modRM == nil || ["push", "pop"].contains(instruction.name) else { return false }
        return [Register.rsi, Register.rdi, Register.rsp, Register.rbp, Register.rbx].contains { number in
            [start.state[number], ours.state[number]].contains { exceeds($0 &- 64) || exceeds($0 &+ 63) }
        }
    }
}
