// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON

extension QMPCommand.Device {
    /// What a disk is given beside its id. The rates are of this program, not of QEMU's.
    public struct Block: Equatable, Sendable {
        /// The node that `blockdev-add` made.
        public let drive: String
        /// What the guest finds as the disk's serial number; the id where there is none.
        public let serial: String?
        public let bytesPerSecond: UInt64?
        public let operationsPerSecond: UInt64?
    }

    /// The driver that this is for.
    public static let blockDriver = "virtio-blk-device"

    /// - Throws: what is missing, of another kind, or not a disk's.
    public func block() throws(QMPError) -> Block {
        var arguments = QMPArguments(properties)
        let block = Block(
            drive: try arguments.string("drive"), serial: try arguments.optionalString("serial"),
            bytesPerSecond: try Self.rate("x-bytes-per-second", &arguments),
            operationsPerSecond: try Self.rate("x-operations-per-second", &arguments))
        try arguments.finish()
        return block
    }

    private static func rate(_ name: String, _ arguments: inout QMPArguments) throws(QMPError) -> UInt64? {
        let rate = try arguments.optionalUnsigned(name)
        guard rate != 0 else { throw QMPError("argument '\(name)' is 0, wanted: a whole number from 1, or none for no limit") }
        return rate
    }
}
