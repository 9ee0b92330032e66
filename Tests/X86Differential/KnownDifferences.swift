// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// All that is known of Unicorn 2.0.1, and of processors where the SDM and they differ or it leaves them a choice.
enum KnownDifferences {
    static let unicorn = missing + [NaNChoice.known] + checks + bits + operands + faults

    /// Instructions it hasn't got.
    private static let missing: [KnownDifference] = [
        KnownDifference(name: "POPCNT and MOVBE are missing", reason: "#UD with any processor model that can be set") {
            ["popcnt", "movbe"].contains($0.instruction.name) ? $0.undefined : nil
        },
        KnownDifference(
            name: "TEST by F6 /1 and F7 /1 is missing",
            reason: "the SDM's table A-6 has TEST in /0 only, and processors have it in both; #UD in Unicorn"
        ) {
            $0.instruction.name == "test" && $0.instruction.group == 1 && $0.instruction.opcode >= 0xF6
                ? $0.undefined : nil
        },
        KnownDifference(
            name: "MOV by C6 and C7 with REX.R is missing",
            reason: "vol. 2, 2.2.1.2: \"REX.R is ignored when ModR/M specifies ... an extended opcode\"; #UD in Unicorn"
        ) {
            $0.instruction.name == "mov" && [0xC6, 0xC7].contains($0.instruction.opcode) && $0.instruction.rex & 4 != 0
                ? $0.undefined : nil
        },
        KnownDifference(
            name: "CMPPS and its kin with predicates over 7 are missing",
            reason: "vol. 2, CMPPS: without VEX only bits 2:0 of the immediate count; #UD in Unicorn"
        ) {
            $0.instruction.name == "cmpps" && $0.instruction.immediate > 7 ? $0.undefined : nil
        },
    ]

    /// Checks it doesn't make.
    private static let checks: [KnownDifference] = [
        KnownDifference(
            name: "no #GP for misaligned SSE operands",
            reason: "vol. 1, 11.6.10.1: 128-bit memory operands but those of unaligned moves must be aligned"
        ) {
            guard $0.vector == 13, $0.instruction.isVector, let address = $0.instruction.address, address & 15 != 0
            else { return nil }
            return $0.anything
        },
        KnownDifference(
            name: "no #GP or #SS beyond segment limits and canonical addresses",
            reason: "vol. 3, 5.3 and 3.3.7.1; in Unicorn the access goes on, to where no memory is"
        ) {
            guard $0.vector == 13 || $0.vector == 12, $0.exceedsLimits else { return nil }
            return $0.ending(.memory)
        },
        KnownDifference(
            name: "no #UD for LOCK without a memory destination",
            reason:
                "vol. 2, LOCK: #UD \"if the LOCK prefix is used with an instruction not listed\" or without a memory destination"
        ) {
            guard $0.vector == 6, $0.instruction.isLocked, $0.instruction.isRegister else { return nil }
            return $0.anything
        },
    ]

    /// Wrong results of instructions on bits.
    private static let bits: [KnownDifference] = [
        KnownDifference(
            name: "PDEP and PEXT swap their operands", reason: "vol. 2, PDEP, PEXT: the mask is the ModRM operand"
        ) {
            guard let mask = $0.source, $0.ours.end == .done else { return nil }
            let value = $0.start.state[$0.instruction.vvvv] & UInt64.max >> UInt64(64 - $0.bits)
            switch $0.instruction.name {
            case "pdep": return $0.with($0.instruction.reg, BitModel.deposit(mask, under: value))
            case "pext": return $0.with($0.instruction.reg, BitModel.extract(mask, under: value))
            default: return nil
            }
        },
        KnownDifference(
            name: "BZHI beyond the operand clears the top bit",
            reason: "vol. 2, BZHI: an index of the operand's size or more clears nothing"
        ) {
            let index = $0.start.state[$0.instruction.vvvv] & 0xFF
            guard $0.instruction.name == "bzhi", $0.ours.end == .done, index >= UInt64($0.bits), let source = $0.source
            else { return nil }
            let result = source & ~(1 << UInt64($0.bits - 1))
            var predicted = $0.with(flags: result == 0 ? Flag.zero : 0, in: Flag.zero | Flag.sign)
            predicted.state[$0.instruction.reg] = result
            return predicted
        },
        KnownDifference(
            name: "BZHI of all but the top bit sets CF",
            reason: "vol. 2, BZHI: CF is set when the index is beyond the operand's last bit"
        ) {
            let index = $0.start.state[$0.instruction.vvvv] & 0xFF
            guard $0.instruction.name == "bzhi", $0.ours.end == .done, index == UInt64($0.bits - 1) else { return nil }
            return $0.with(flags: Flag.carry, in: Flag.carry)
        },
        KnownDifference(
            name: "BEXTR takes bits from beyond a 32-bit operand, and never the top bit",
            reason:
                "vol. 2, BEXTR: zeros come from beyond the operand, and a length beyond it takes all bits that there are"
        ) {
            guard $0.instruction.name == "bextr", $0.ours.end == .done, var source = $0.source else { return nil }
            if $0.instruction.isRegister && $0.mode == .bits64 { source = $0.start.state[$0.instruction.rm] }
            let control = $0.start.state[$0.instruction.vvvv]
            let (first, length, last) = (control & 0xFF, control >> 8 & 0xFF, UInt64($0.bits - 1))
            let result = first > last ? 0 : source >> first & ((1 << min(length, last)) - 1)
            guard result != $0.ours.state[$0.instruction.reg] else { return nil }
            var predicted = $0.with(flags: result == 0 ? Flag.zero : 0, in: Flag.zero)
            predicted.state[$0.instruction.reg] = result
            return predicted
        },
        KnownDifference(name: "BLSI inverts CF", reason: "vol. 2, BLSI: CF is set when the source isn't zero") {
            guard $0.instruction.name == "blsi", $0.ours.end == .done else { return nil }
            return $0.with(flags: ~$0.ours.state.flags, in: Flag.carry)
        },
        KnownDifference(
            name: "CRC32 in 16-bit code has its sizes swapped",
            reason:
                "vol. 2, CRC32: the operand size is the code segment's unless 66 changes it; Unicorn has 32 bits without 66 and 16 with it"
        ) {
            guard $0.mode == .bits16, $0.instruction.name == "crc32", $0.instruction.opcode == 0xF1,
                $0.ours.end == .done
            else {
                return nil
            }
            let size = 6 - $0.instruction.size
            let source: UInt64
            if $0.instruction.isRegister {
                source = $0.start.state[$0.instruction.rm]
            } else {
                // At the end of memory the wider operand isn't there.
                guard let address = $0.instruction.address, address <= UInt64(CaseMode.data.upperBound - size) else {
                    return $0.anything
                }
                source = $0.start.read(address, size)
            }
            return $0.with($0.instruction.reg, BitModel.crc32(UInt32($0.start.state[$0.instruction.reg]), source, size))
        },
    ]

    /// What it leaves behind when an instruction faults.
    private static let faults: [KnownDifference] = [
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

    /// Wrong operands and flags.
    private static let operands: [KnownDifference] = [
        KnownDifference(
            name: "32-bit CMPXCHG that fails clears its register's upper half",
            reason:
                "vol. 2, CMPXCHG: \"otherwise ... the destination operand is loaded into\" EAX; processors leave the destination as it is"
        ) {
            guard $0.mode == .bits64, $0.instruction.name == "cmpxchg", $0.instruction.size == 4,
                $0.instruction.isRegister,
                $0.ours.end == .done, $0.ours.state.flags & Flag.zero == 0
            else { return nil }
            return $0.with($0.instruction.rm, $0.ours.state[$0.instruction.rm] & 0xFFFF_FFFF)
        },
        KnownDifference(
            name: "32-bit CMPXCHG that succeeds clears RAX's upper half",
            reason: "vol. 2, CMPXCHG: the accumulator is loaded only when the comparison fails"
        ) {
            guard $0.mode == .bits64, $0.instruction.name == "cmpxchg", $0.instruction.size == 4, $0.ours.end == .done,
                $0.ours.state.flags & Flag.zero != 0
            else { return nil }
            return $0.with(Register.rax, $0.ours.state[Register.rax] & 0xFFFF_FFFF)
        },
        KnownDifference(
            name: "LAHF and SAHF with REX take SPL", reason: "vol. 2, LAHF, SAHF: AH, whatever the prefixes"
        ) {
            guard $0.instruction.rex != 0, $0.ours.end == .done else { return nil }
            let stack = $0.start.state[Register.rsp]
            switch $0.instruction.name {
            case "lahf":
                var predicted = $0.with(Register.rax, $0.start.state[Register.rax])
                predicted.state[Register.rsp] = stack & ~0xFF | $0.start.state.flags & 0xFF
                return predicted
            case "sahf": return $0.with(flags: stack, in: 0xD5)
            default: return nil
            }
        },
        KnownDifference(
            name: "LOCK NEG sets SF, ZF and PF as of the operand",
            reason: "vol. 2, NEG: the flags are set according to the result"
        ) {
            guard $0.instruction.name == "neg", $0.instruction.isLocked, $0.ours.end == .done, let source = $0.source
            else { return nil }
            let sign = source >> UInt64($0.bits - 1) & 1 != 0 ? Flag.sign : 0
            let parity = (source & 0xFF).nonzeroBitCount & 1 == 0 ? Flag.parity : 0
            return $0.with(
                flags: sign | parity | (source == 0 ? Flag.zero : 0), in: Flag.sign | Flag.parity | Flag.zero)
        },
        KnownDifference(
            name: "SHLD, SHRD and RORX forget their immediate in RIP-relative addresses",
            reason: "vol. 2, 2.2.1.6: the displacement counts from the next instruction; Unicorn's is a byte short"
        ) {
            guard ["shld", "shrd", "rorx"].contains($0.instruction.name), $0.instruction.target != nil,
                [0xA4, 0xAC, 0xF0].contains($0.instruction.opcode)
            else { return nil }
            return $0.anything
        },
    ]
}

extension KnownDifferences {
    private static let repeatedComparison = KnownDifference(
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
    fileprivate var exceedsLimits: Bool {
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
