// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Why the cases can't be run at all.
struct Problem: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
