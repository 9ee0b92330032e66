// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A system call that is allowed, always or with some arguments only; or one that fails, where the program that wants it goes on without.
struct CallRule: Equatable {
    /// What an argument must be, of which the low 32 bits are looked at: each of those named here is an int to the kernel, or flags that are all there.
    enum Condition: Equatable {
        case equals(argument: Int, UInt32)
        /// None of these bits.
        case lacks(argument: Int, UInt32)
    }

    let number: UInt32
    /// The call is allowed where one of these holds; no conditions at all hold always.
    let alternatives: [Condition]
    /// The errno that the call fails with, always.
    let failure: Int32?

    init(_ number: Int32, _ alternatives: [Condition] = []) {
        (self.number, self.alternatives, failure) = (UInt32(number), alternatives, nil)
    }

    init(_ number: Int32, failsWith error: Int32) {
        (self.number, alternatives, failure) = (UInt32(number), [], error)
    }
}
