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
}
