// SPDX-License-Identifier: MIT OR GPL-2.0-only

import X86

/// Where Unicorn 2.0.1 differs from the SDM. A difference that one of these explains is counted, not failed.
struct KnownDifference: Sendable {
    var name: String
    var reason: String
    var explains: @Sendable (Case, _ ours: EngineResult, _ theirs: EngineResult) -> Bool
}

enum KnownDifferences {
    static let list: [KnownDifference] = [
        KnownDifference(
            name: "SSE alignment", reason: "Unicorn doesn't raise #GP for operands that aren't aligned to 16 bytes"
        ) { test, ours, theirs in
            ours.vector == 13 && theirs.end == .done && test.instructions.contains { $0.isVector }
        },
        KnownDifference(
            name: "TEST /1", reason: "F6 /1 and F7 /1 are TEST on every processor, though the SDM lists only /0; #UD in Unicorn"
        ) { test, ours, theirs in
            ours.end == .done && theirs.end == .exception
                && test.instructions.contains { $0.name == "test" && $0.has([0xF6, 0xF7], group: 1) }
        },
        KnownDifference(
            name: "LAHF, SAHF with REX", reason: "REX doesn't change which register AH is here; Unicorn takes SPL"
        ) { test, _, _ in
            test.instructions.contains { ["lahf", "sahf"].contains($0.name) && $0.bytes.count > 1 }
        },
        KnownDifference(
            name: "CRC32 in 16-bit code", reason: "Unicorn takes 32 bits unless there is a 66 prefix, whatever the code's size"
        ) { test, _, _ in
            test.mode == .bits16 && test.instructions.contains { $0.name == "crc32" }
        },
        KnownDifference(
            name: "POPCNT and MOVBE", reason: "no processor model of Unicorn 2.0.1 has them; they have tests of their own"
        ) { test, ours, theirs in
            theirs.end == .exception && test.instructions.contains { ["popcnt", "movbe"].contains($0.name) }
        },
        KnownDifference(
            name: "ADX in 16-bit code", reason: "Unicorn's 16-bit mode starts without it"
        ) { test, ours, theirs in
            theirs.end == .exception && test.mode == .bits16
                && test.instructions.contains { ["adcx", "adox"].contains($0.name) }
        },
        KnownDifference(
            name: "PDEP and PEXT", reason: "Unicorn swaps source and mask; an EPYC processor agrees with X86"
        ) { test, _, _ in
            test.instructions.contains { ["pdep", "pext"].contains($0.name) }
        },
        KnownDifference(
            name: "BZHI", reason: "Unicorn clears the top bit when the index is beyond the operand, where the SDM clears none"
        ) { test, _, _ in
            test.instructions.contains { $0.name == "bzhi" }
        },
        KnownDifference(
            name: "BLSI", reason: "Unicorn inverts CF, which the SDM sets when the source isn't zero"
        ) { test, _, _ in
            test.instructions.contains { $0.name == "blsi" }
        },
        KnownDifference(
            name: "BEXTR", reason: "Unicorn clears the top bit when the length is beyond the operand"
        ) { test, _, _ in
            test.instructions.contains { $0.name == "bextr" }
        },
        KnownDifference(
            name: "LOCK NEG", reason: "Unicorn computes the flags of a locked NEG from the result"
        ) { test, _, _ in
            test.instructions.contains { $0.name == "neg" && $0.bytes.contains(0xF0) }
        },
        KnownDifference(
            name: "MOV with REX.R", reason: "Unicorn takes REX.R for a part of C6 and C7's opcode extension, and raises #UD"
        ) { test, ours, theirs in
            ours.end == .done && theirs.end == .exception
                && test.instructions.contains { $0.name == "mov" && $0.has([0xC6, 0xC7], group: 0) }
        },
        KnownDifference(
            name: "LOCK with registers", reason: "Unicorn doesn't raise #UD for all instructions with a register destination"
        ) { test, ours, theirs in
            ours.vector == 6 && theirs.end == .done
                && test.instructions.contains { $0.bytes.contains(0xF0) }
        },
        KnownDifference(
            name: "SSE in 16-bit code", reason: "Unicorn's 16-bit mode starts without OSFXSR and doesn't take CR4 writes"
        ) { test, ours, theirs in
            test.mode == .bits16 && theirs.end == .exception && test.instructions.contains { $0.isVector }
        },
    ]
}
