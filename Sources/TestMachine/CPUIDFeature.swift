// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
public import KVM

/// A feature that a guest may require, by the name guests.json has for it. SDM vol. 2, CPUID.
public struct CPUIDFeature: Sendable {
    public let name: String
    let leaf: UInt32
    let register: Register
    let bit: UInt32

    enum Register: Sendable { case ebx, ecx, edx }

    /// Whether a table has the feature.
    public func isIn(_ table: CPUIDTable) -> Bool {
        guard let entry = table[leaf, 0] else { return false }
        let value =
            switch register {
            case .ebx: entry.ebx
            case .ecx: entry.ecx
            case .edx: entry.edx
            }
        return value & (1 << bit) != 0
    }

    public static func named(_ name: String) -> CPUIDFeature? { all.first { $0.name == name.lowercased() } }

    public static let all: [CPUIDFeature] =
        list(
            1, .edx,
            [("fpu", 0), ("tsc", 4), ("msr", 5), ("pae", 6), ("cx8", 8), ("sep", 11), ("mtrr", 12), ("pge", 13)])
        + list(
            1, .edx, [("cmov", 15), ("pat", 16), ("clflush", 19), ("mmx", 23), ("fxsr", 24), ("sse", 25), ("sse2", 26)])
        + list(1, .ecx, [("sse3", 0), ("pclmulqdq", 1), ("monitor", 3), ("vmx", 5), ("ssse3", 9), ("fma", 12)])
        + list(1, .ecx, [("cx16", 13), ("pcid", 17), ("sse4_1", 19), ("sse4_2", 20), ("x2apic", 21), ("movbe", 22)])
        + list(1, .ecx, [("popcnt", 23), ("tsc_deadline", 24), ("aes", 25), ("xsave", 26), ("avx", 28), ("f16c", 29)])
        + list(1, .ecx, [("rdrand", 30), ("hypervisor", 31)])
        + list(
            7, .ebx,
            [("fsgsbase", 0), ("tsc_adjust", 1), ("bmi1", 3), ("avx2", 5), ("smep", 7), ("bmi2", 8), ("erms", 9)])
        + list(
            7, .ebx, [("invpcid", 10), ("avx512f", 16), ("rdseed", 18), ("adx", 19), ("smap", 20), ("clflushopt", 23)])
        + list(7, .ecx, [("umip", 2), ("pku", 3), ("la57", 16), ("rdpid", 22)])
        + list(0x8000_0001, .edx, [("syscall", 11), ("nx", 20), ("pdpe1gb", 26), ("rdtscp", 27), ("lm", 29)])
        + list(0x8000_0001, .ecx, [("lahf_lm", 0), ("lzcnt", 5), ("prefetchw", 8)])

    private static func list(_ leaf: UInt32, _ register: Register, _ bits: [(String, UInt32)]) -> [CPUIDFeature] {
        bits.map { CPUIDFeature(name: $0.0, leaf: leaf, register: register, bit: $0.1) }
    }
}

extension Guest {
    /// The features that the guest requires and a table doesn't have.
    public func missingFeatures(in table: CPUIDTable) -> [String] {
        requires.filter { name in !(CPUIDFeature.named(name)?.isIn(table) ?? false) }
    }
}
