// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// How a machine ended.
public enum MachineEnd: Equatable, Sendable {
    case poweredOff
    /// The guest has asked for a reset. This machine doesn't start again: who wants it to starts another.
    case reset
    /// A triple fault: the guest's processor could not even tell it of an exception.
    case crashed
    /// The user, a signal or a control connection wanted it.
    case stopped(String)
    /// The device or this program could not go on.
    case failed(String)

    /// What this process ends with.
    public var status: Int32 {
        switch self {
        case .poweredOff, .reset, .stopped: 0
        case .failed: 1
        case .crashed: 3
        }
    }

    public var description: String {
        switch self {
        case .poweredOff: "the guest has powered off"
        case .reset: "the guest has asked for a reset"
        case .crashed: "the guest has crashed (triple fault)"
        case .stopped(let why): why
        case .failed(let why): why
        }
    }
}
