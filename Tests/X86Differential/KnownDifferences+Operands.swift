// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

extension KnownDifferences {
    /// Wrong operands and flags.
    static let operands: [KnownDifference] = [
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
