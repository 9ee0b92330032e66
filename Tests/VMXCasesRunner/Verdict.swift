// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What comparing one case came to.
enum Verdict {
    /// Both did this.
    case agreed(String)
    /// The case is about a processor that differs in this.
    case otherProcessor(String)
    /// No machine can be given the case, because of this.
    case notRun(String)
    case differed(model: String, machine: String)
    /// They differ as this says of many cases.
    case explained(String)

    var text: String {
        switch self {
        case .agreed(let what): what
        case .otherProcessor(let what): "for a processor \(what)"
        case .notRun(let why): "not run: \(why)"
        case .explained(let why): "differs as known: \(why)"
        case .differed(let model, let machine): "DIFFERS: model \(model); machine \(machine)"
        }
    }
}
