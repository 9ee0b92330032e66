// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the interpreter implements, in CPUID's words.
public enum Features {
    /// A CPUID leaf of a processor with just these features.
    public static func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult {
        switch leaf {
        case 0: return CPUIDResult(eax: 7, ebx: 0x654B_694C, ecx: 0x3638_5858, edx: 0x7469_5758)
        case 1:
            // FPU, MSR, PSE, TSC, PAE, CX8, SEP, PGE, CMOV, PSE-36, CLFLUSH, FXSR, SSE, SSE2; PAT.
            let edx = bits(0, 3, 4, 5, 6, 8, 11, 13, 15, 16, 17, 19, 24, 25, 26, 2)
            // CMPXCHG16B, PCID, MOVBE, POPCNT, SSE4.2's CRC32 is not claimed with it.
            let ecx = bits(13, 17, 22, 23)
            return CPUIDResult(eax: 0x600, ebx: 0x0000_0800, ecx: ecx, edx: edx)
        case 7 where subleaf == 0:
            // FSGSBASE, BMI1, SMEP, BMI2, INVPCID, no FPU selectors, ADX, SMAP; UMIP, RDPID.
            return CPUIDResult(ebx: bits(0, 3, 7, 8, 10, 13, 19, 20), ecx: bits(2, 22))
        case 0x8000_0000: return CPUIDResult(eax: 0x8000_0008)
        // LAHF in 64-bit mode, LZCNT; SYSCALL, NX, 1 GiB pages, RDTSCP, long mode.
        case 0x8000_0001: return CPUIDResult(ecx: bits(0, 5), edx: bits(11, 20, 26, 27, 29))
        case 0x8000_0008: return CPUIDResult(eax: 48 << 8 | 40)
        default: return CPUIDResult()
        }
    }

    private static func bits(_ numbers: UInt32...) -> UInt32 { numbers.reduce(0) { $0 | 1 << $1 } }
}
