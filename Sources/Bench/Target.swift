// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a figure of LiKeX's is to be.
public enum Target: Equatable, Sendable {
    case atMost(Double)
    /// A part of the other device's, in percent.
    case percentOfOther(Double)
    /// Not further than some percent from another figure of the same device.
    case near(String, percent: Double)

    /// Those of this project, by the figure's name. Where many VMs are alive, a figure is held against the one beside a single VM: the only
    /// VM of a machine pays for VMXON and VMXOFF, too.
    static func named(_ name: String) -> Target? {
        switch name {
        case "exit-io": .atMost(1300)
        case "cpuid": .atMost(400)
        case "ept-4k": .atMost(2500)
        case "ept-4k-run": .atMost(700)
        case "life": .atMost(300_000)
        case "life-once": .atMost(200_000)
        case "memory": .atMost(96)
        case "module": .percentOfOther(15)
        default: beside(name)
        }
    }

    private static func beside(_ name: String) -> Target? {
        for alone in ["life", "exit-io"] where name.hasPrefix(alone + "-") {
            guard let idle = Int(name.dropFirst(alone.count + 1)), idle > 1 else { continue }
            return .near(alone + "-1", percent: 10)
        }
        return nil
    }

    /// The largest value that meets it, where that is a number of its own; the same figure of the device compared with is `other`.
    public func value(other: Double?) -> Double? {
        switch self {
        case .atMost(let most): most
        case .percentOfOther(let percent): other.map { $0 * percent / 100 }
        case .near: nil
        }
    }

    /// Whether a value meets it; nil where what it is held against isn't known.
    ///
    /// - Parameters:
    ///   - other: the same figure of the device compared with.
    ///   - own: another figure of the same device.
    func isMet(by value: Double, other: Double?, own: (String) -> Double?) -> Bool? {
        switch self {
        case .atMost(let most): value <= most
        case .percentOfOther(let percent): other.map { value * 100 <= $0 * percent }
        case .near(let name, let percent): own(name).map { abs(value - $0) * 100 <= $0 * percent }
        }
    }
}
