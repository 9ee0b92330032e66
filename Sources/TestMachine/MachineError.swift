// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// Why a guest couldn't be run at all.
public enum MachineError: Error, Equatable, CustomStringConvertible {
    /// A call on the device failed.
    case device(path: String, KVMError)
    /// The guest's settings, its file or the table of guests is wrong: what and how to mend it.
    case settings(String)

    public var description: String {
        switch self {
        case .device(let path, let error):
            error.operation.hasSuffix(path) ? error.description : "\(path): \(error.description)"
        case .settings(let message): message
        }
    }
}
