// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The machine that this program runs on.
public enum Host {
    /// CPUID on this processor.
    public static func cpuid(
        _ leaf: UInt32, _ subleaf: UInt32 = 0
    ) -> (eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32) { Syscalls.cpuid(leaf, subleaf) }

    /// A clock that only goes forward, in nanoseconds. clock_gettime(2)
    public static var nanoseconds: UInt64 { Syscalls.now() }

    /// This machine's time-stamp counter, after everything before it has completed.
    public static var ticks: UInt64 { Syscalls.ticks() }
}
