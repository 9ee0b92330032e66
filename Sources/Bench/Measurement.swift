// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What was measured of one thing on one device.
public struct Measurement: Codable, Equatable, Sendable {
    public enum Unit: String, Codable, Sendable {
        case ticks
        case bytes
        case kibibytes = "KiB"
        case count = "a VM"
    }

    /// What it is called on the command line and in JSON: `exit-io`.
    public let name: String
    /// What it is, for people.
    public let title: String
    public let unit: Unit
    /// The median, or what is told of in its place; nil where there is none.
    public let value: Double?
    public let least: Double?
    public let most: Double?
    public let samples: Int?
    /// Why there is no value.
    public let unsupported: String?

    /// - Parameter value: what stands for the samples, where it isn't their median.
    public init(_ name: String, _ title: String, _ unit: Unit, _ samples: [Double], value: Double? = nil) {
        self.name = name
        self.title = title
        self.unit = unit
        let sorted = samples.sorted()
        self.value = value ?? Self.median(sorted)
        least = sorted.first
        most = sorted.last
        self.samples = sorted.count
        unsupported = sorted.isEmpty ? "nothing was measured" : nil
    }

    public init(_ name: String, _ title: String, _ unit: Unit, _ samples: [UInt64]) {
        self.init(name, title, unit, samples.map { Double($0) })
    }

    /// What a device doesn't offer.
    public init(_ name: String, _ title: String, _ unit: Unit, unsupported reason: String) {
        self.name = name
        self.title = title
        self.unit = unit
        value = nil
        least = nil
        most = nil
        samples = nil
        unsupported = reason
    }

    /// The middle one of sorted values, or the mean of the two in the middle.
    static func median(_ sorted: [Double]) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let half = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
    }
}
