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

    /// - Parameters:
    ///   - set: where the descriptor is now.
    ///   - number: the descriptor's, as `remove-fd` knows it.
    public static func descriptor(set: UInt64, number: Int32) -> JSON { ["fdset-id": JSON(set), "fd": JSON(number)] }

    public static func descriptorSets(_ sets: [(id: UInt64, descriptors: [(number: Int32, note: String?)])]) -> JSON {
        .array(
            sets.map { id, descriptors in
                let members = descriptors.map { number, note in
                    JSON.object([JSON.Member("fd", JSON(number))] + (note.map { [JSON.Member("opaque", .string($0))] } ?? []))
                }
                return ["fdset-id": JSON(id), "fds": .array(members)]
            })
    }

    /// A disk's file.
    public struct Node: Equatable, Sendable {
        public var name: String
        public var file: String
        public var byteCount: UInt64
        public var isReadOnly: Bool

        public init(name: String, file: String, byteCount: UInt64, isReadOnly: Bool) {
            (self.name, self.file, self.byteCount, self.isReadOnly) = (name, file, byteCount, isReadOnly)
        }

        public var json: JSON {
            [
                "node-name": .string(name), "drv": "raw", "file": .string(file), "ro": .bool(isReadOnly), "encrypted": false,
                "image": ["filename": .string(file), "format": "raw", "virtual-size": JSON(byteCount)],
            ]
        }
    }

    /// One of `query-block`'s.
    /// - Parameters:
    ///   - device: the place's name.
    ///   - id: of the device that is there.
    ///   - isSlot: disks come and go there.
    public static func block(device: String, id: String?, isSlot: Bool, node: Node?) -> JSON {
        var members: [JSON.Member] = [
            .init("device", .string(device)), .init("type", "unknown"), .init("removable", .bool(isSlot)), .init("locked", false),
        ]
        if let id { members.append(.init("qdev", .string(path(of: id)))) }
        if let node { members.append(.init("inserted", node.json)) }
        return .object(members)
    }

    /// Data of the event DEVICE_DELETED.
    public static func deleted(id: String) -> JSON { ["device": .string(id), "path": .string(path(of: id))] }

    private static func path(of id: String) -> String { "/machine/peripheral/\(id)" }

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
