// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import JSON

/// What commands that succeed return, in the shape that QMP gives it.
public enum QMPReply {
    /// Of commands that return nothing.
    public static let nothing: JSON = [:]

    /// Of a machine: QMP's names of its states.
    public enum Status: String, Sendable {
        case running
        case paused
        case prelaunch
        case shutdown
        case guestPanicked = "guest-panicked"
        case internalError = "internal-error"
    }

    public static func status(_ status: Status) -> JSON {
        ["status": .string(status.rawValue), "running": .bool(status == .running)]
    }

    /// - Parameter threads: the vCPUs' threads by index.
    public static func cpus(threads: [Int]) -> JSON {
        .array(
            threads.enumerated().map { index, thread in
                [
                    "cpu-index": JSON(index), "qom-path": .string("/machine/cpu[\(index)]"), "thread-id": JSON(thread),
                    "target": "x86_64", "props": ["core-id": JSON(index)],
                ]
            })
    }

    /// - Parameter bytes: of memory that the guest has at the moment.
    public static func balloon(bytes: UInt64) -> JSON { ["actual": JSON(bytes)] }

    public struct Version: Equatable, Sendable {
        public var major: Int
        public var minor: Int
        public var micro: Int
        public var package: String

        public init(major: Int, minor: Int, micro: Int, package: String) {
            self.major = major
            self.minor = minor
            self.micro = micro
            self.package = package
        }

        var json: JSON {
            ["qemu": ["major": JSON(major), "minor": JSON(minor), "micro": JSON(micro)], "package": .string(package)]
        }
    }
}
