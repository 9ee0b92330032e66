// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The machine's physical memory, as the processor reads and writes it when no instruction of a guest does.
public protocol PhysicalMemory: AnyObject {
    /// Reads an aligned quadword; all ones where there is no memory, as a bus answers.
    func load(_ physical: UInt64) -> UInt64
    /// Writes an aligned quadword.
    func store(_ physical: UInt64, _ value: UInt64)
    /// Sets bits of an aligned quadword in one indivisible access (accessed and dirty flags).
    /// - Returns: what was there before.
    @discardableResult
    func set(_ physical: UInt64, bits: UInt64) -> UInt64
}

extension PhysicalMemory {
    /// One byte, of which the rest of its quadword is read too.
    func byte(_ physical: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: load(physical & ~7) >> (8 * (physical & 7)))
    }

    /// One bit of a bitmap that starts at `base`.
    func bit(_ base: UInt64, _ number: UInt64) -> Bool { byte(base &+ number / 8) >> UInt8(number & 7) & 1 != 0 }
}
