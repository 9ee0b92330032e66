// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM

extension CPUIDTable {
    /// What one processor of several answers: all the device offers, its APIC ID, and a topology of one package with a core for each processor.
    ///
    /// SDM vol. 2, "CPUID": leaves 1, 4, 0xB, 0x15, 0x16 and 0x1F.
    ///
    /// - Parameter tscKHz: of the time-stamp counter: a machine without a PIT has nothing else to find it by. 0 if it isn't known.
    func guest(apicID: UInt32, of processors: Int, hasDeadlineTimer: Bool, tscKHz: UInt32) -> CPUIDTable {
        // The fewest bits that number them all.
        let bits = UInt32(processors <= 1 ? 0 : Int.bitWidth - (processors - 1).leadingZeroBitCount)
        var result: [Entry] = []
        for entry in entries where ![0xB, 0x15, 0x16, 0x1F].contains(entry.function) {
            var entry = entry
            switch entry.function {
            case 0: entry.eax = max(entry.eax, tscKHz > 0 ? 0x16 : 0)
            case 1:
                entry.ebx = entry.ebx & 0xFF00 | apicID << 24 | UInt32(min(processors, 255)) << 16
                // x2APIC; and the deadline timer, which devices tell of by a capability
                entry.ecx = entry.ecx & ~(1 << 24) | (hasDeadlineTimer ? 1 << 24 : 0) | 1 << 31
                entry.edx = entry.edx & ~(1 << 28) | (processors > 1 ? 1 << 28 : 0)
            case 4 where entry.eax & 0x1F != 0:
                // Caches up to the second level are a core's own.
                let level = entry.eax >> 5 & 7
                entry.eax = entry.eax & 0x3FFF | ((1 << bits) - 1) << 26 | (level < 3 ? 0 : ((1 << bits) - 1) << 14)
            default: break
            }
            result.append(entry)
        }
        if (self[0, 0]?.eax ?? 0) >= 0xB { result += topology(apicID, UInt32(processors), bits) }
        if tscKHz > 0 {
            // KVM's local APICs count nanoseconds: that is the crystal's frequency, and the counter's is in proportion to it.
            let ratio = Self.ratio(tscKHz)
            var entry = Entry()
            (entry.function, entry.eax, entry.ebx, entry.ecx) = (0x15, ratio.denominator, ratio.numerator, 1_000_000_000)
            result.append(entry)
            // Megahertz: base and most, and of the bus. Linux would count the PIT's ticks otherwise.
            let megahertz = max(1, tscKHz / 1000)
            (entry.function, entry.eax, entry.ebx, entry.ecx) = (0x16, megahertz, megahertz, 100)
            result.append(entry)
        }
        return CPUIDTable(entries: result)
    }

    /// A frequency's ratio to 1 GHz as exactly as it can be with a small numerator, by its continued fraction: Linux multiplies that by the crystal's
    /// kilohertz in 32 bits.
    static func ratio(_ kilohertz: UInt32) -> (numerator: UInt32, denominator: UInt32) {
        let most = UInt64(UInt32.max) / 1_000_000
        var (before, last): ((UInt64, UInt64), (UInt64, UInt64)) = ((0, 1), (1, 0))
        var (dividend, divisor) = (UInt64(kilohertz), UInt64(1_000_000))
        while divisor != 0 {
            let quotient = dividend / divisor
            let next = (quotient * last.0 + before.0, quotient * last.1 + before.1)
            guard next.0 <= most else { break }
            (before, last) = (last, next)
            (dividend, divisor) = (divisor, dividend % divisor)
        }
        return (UInt32(last.0), UInt32(last.1))
    }

    /// Leaf 0xB: one thread a core, all cores in one package.
    private func topology(_ apicID: UInt32, _ processors: UInt32, _ bits: UInt32) -> [Entry] {
        let levels: [(UInt32, UInt32, UInt32, UInt32)] = [
            (0, 0, 1, 1 << 8), (1, bits, processors, 2 << 8 | 1), (2, 0, 0, 2),
        ]
        return levels.map { level in
            var entry = Entry()
            entry.function = 0xB
            entry.flags = 1  // KVM_CPUID_FLAG_SIGNIFCANT_INDEX
            (entry.index, entry.eax, entry.ebx, entry.ecx) = level
            entry.edx = apicID
            return entry
        }
    }
}
