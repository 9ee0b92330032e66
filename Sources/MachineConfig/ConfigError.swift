// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import JSON

/// Why a configuration is none, with the member that it is about.
public enum ConfigError: Error, Equatable, Sendable, CustomStringConvertible {
    case notJSON(JSONError)
    /// `path` is `disks[1].file`, or empty for the whole.
    case value(path: String, found: String, wanted: String)
    case missing(path: String, wanted: String)
    case unknown(path: String, known: [String])

    public var description: String {
        switch self {
        case .notJSON(let error): "configuration: \(error)"
        case .value(let path, let found, let wanted):
            "configuration: \(path.isEmpty ? "it" : path) is \(found), wanted: \(wanted)"
        case .missing(let path, let wanted): "configuration: \(path) is missing: \(wanted)"
        case .unknown(let path, let known):
            "configuration: \(path) is unknown here; there are \(known.joined(separator: ", "))"
        }
    }
}
