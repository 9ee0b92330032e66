// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import JSON

/// What a client asks of the machine. What a session answers by itself is not here.
public enum QMPCommand: Equatable, Sendable {
    case queryStatus
    case stop
    case cont
    case quit
    case systemPowerdown
    case systemReset
    case deviceAdd(Device)
    case deviceDel(id: String)
    case blockAdd(BlockNode)
    case blockDel(name: String)
    case queryBlock
    case queryNodes
    /// The oldest descriptor that came with the connection and waits, into a set: a new one where none is named.
    case descriptorAdd(set: UInt64?, note: String?)
    /// A descriptor by its number, or all of the set's.
    case descriptorRemove(set: UInt64, number: UInt64?)
    case queryDescriptorSets
    case queryCPUs
    case queryHotpluggableCPUs
    case queryBalloon
    /// Of this program, not of QEMU's: what a line of its metrics' file has.
    case queryMetrics
    /// Bytes of memory that the guest is to be left with.
    case balloon(bytes: UInt64)

    /// `device_add`'s arguments: what every device has, and what only its driver knows.
    public struct Device: Equatable, Sendable {
        public let driver: String
        public let id: String?
        public let properties: [JSON.Member]
    }

    /// `blockdev-add`'s arguments: a file that a device may then name as its `drive`.
    public struct BlockNode: Equatable, Sendable {
        public let name: String
        public let file: String
        public let isReadOnly: Bool
    }

    typealias Reader = @Sendable (inout QMPArguments) throws(QMPError) -> QMPCommand

    /// By name; also what `query-commands` tells.
    static let table: [(name: String, read: Reader)] = [
        (
            "add-fd",
            { (a) throws(QMPError) in .descriptorAdd(set: try a.optionalUnsigned("fdset-id"), note: try a.optionalString("opaque")) }
        ),
        ("balloon", { (a) throws(QMPError) in .balloon(bytes: try a.unsigned("value")) }),
        ("blockdev-add", readBlock),
        ("blockdev-del", { (a) throws(QMPError) in .blockDel(name: try a.string("node-name")) }),
        ("cont", { (a) throws(QMPError) in .cont }),
        (
            "device_add",
            { (a) throws(QMPError) in
                .deviceAdd(Device(driver: try a.string("driver"), id: try a.optionalString("id"), properties: a.rest()))
            }
        ),
        ("device_del", { (a) throws(QMPError) in .deviceDel(id: try a.string("id")) }),
        ("query-balloon", { (a) throws(QMPError) in .queryBalloon }),
        ("query-block", { (a) throws(QMPError) in .queryBlock }),
        ("query-cpus-fast", { (a) throws(QMPError) in .queryCPUs }),
        ("query-fdsets", { (a) throws(QMPError) in .queryDescriptorSets }),
        ("query-hotpluggable-cpus", { (a) throws(QMPError) in .queryHotpluggableCPUs }),
        ("query-named-block-nodes", { (a) throws(QMPError) in .queryNodes }),
        ("query-status", { (a) throws(QMPError) in .queryStatus }),
        ("quit", { (a) throws(QMPError) in .quit }),
        (
            "remove-fd",
            { (a) throws(QMPError) in .descriptorRemove(set: try a.unsigned("fdset-id"), number: try a.optionalUnsigned("fd")) }
        ),
        ("stop", { (a) throws(QMPError) in .stop }),
        ("system_powerdown", { (a) throws(QMPError) in .systemPowerdown }),
        ("system_reset", { (a) throws(QMPError) in .systemReset }),
        ("x-query-metrics", { (a) throws(QMPError) in .queryMetrics }),
    ]

    /// `{"node-name": N, "driver": "file", "filename": F}`, or `"driver": "raw"` with such a `"file"` within; a block device's is a "host_device" to some.
    private static func readBlock(_ a: inout QMPArguments) throws(QMPError) -> QMPCommand {
        let name = try a.string("node-name")
        let isReadOnly = try a.optionalBool("read-only") ?? false
        let driver = try a.string("driver")
        switch driver {
        case "file", "host_device":
            return .blockAdd(BlockNode(name: name, file: try a.string("filename"), isReadOnly: isReadOnly))
        case "raw":
            var inner = try a.object("file")
            let driver = try inner.string("driver")
            guard driver == "file" || driver == "host_device" else {
                throw QMPError("file.driver '\(driver)' is unknown: there are 'file' and 'host_device'")
            }
            let file = try inner.string("filename")
            let innerReadOnly = try inner.optionalBool("read-only") ?? false
            try inner.finish()
            return .blockAdd(BlockNode(name: name, file: file, isReadOnly: isReadOnly || innerReadOnly))
        default: throw QMPError("driver '\(driver)' is unknown: images are 'raw', or a 'file' directly")
        }
    }
}
