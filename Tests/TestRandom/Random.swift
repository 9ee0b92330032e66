// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// SplitMix64: the same numbers everywhere for one seed, so that a failure is one that can be looked at again.
package struct Random: RandomNumberGenerator {
    private var state: UInt64
    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    package mutating func below<Number: FixedWidthInteger>(_ limit: Number) -> Number { Number.random(in: 0..<limit, using: &self) }
    /// True once in `n` times.
    package mutating func oneIn(_ n: Int) -> Bool { below(n) == 0 }
    package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
    package mutating func pick<T>(_ list: [T]) -> T { list[Int.random(in: 0..<list.count, using: &self)] }
    package mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

    /// A number with edge values far more often than chance would have them.
    package mutating func interesting() -> UInt64 {
        switch next() % 8 {
        case 0: 0
        case 1: .max
        case 2: 1 << (next() % 64)
        case 3: (1 << (next() % 64)) &- 1
        case 4: next() % 256
        case 5: next() & 0xFFFF_FFFF
        default: next()
        }
    }
}
