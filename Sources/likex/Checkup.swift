// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// One thing that `likex doctor` looked at.
struct Checkup: Equatable, Encodable {
    enum Status: String, Encodable { case good, missing, note }

    let what: String
    let status: Status
    let found: String
    /// What to do about it; nil when there is nothing to do.
    let advice: String?

    static func good(_ what: String, _ found: String) -> Checkup {
        Checkup(what: what, status: .good, found: found, advice: nil)
    }

    static func missing(_ what: String, _ found: String, _ advice: String) -> Checkup {
        Checkup(what: what, status: .missing, found: found, advice: advice)
    }

    static func note(_ what: String, _ found: String, _ advice: String? = nil) -> Checkup {
        Checkup(what: what, status: .note, found: found, advice: advice)
    }
}
