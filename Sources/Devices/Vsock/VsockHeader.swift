// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What is in front of each packet. Virtio 1.2, 5.10.6
struct VsockHeader: Equatable {
    static let size = 44
    static let hostCID: UInt64 = 2
    static let stream: UInt16 = 1
    /// Flags of a shutdown: its sender will receive, or send, nothing more.
    static let (noReceive, noSend): (UInt32, UInt32) = (1, 2)

    enum Operation {
        static let (request, response, reset): (UInt16, UInt16, UInt16) = (1, 2, 3)
        static let (shutdown, data, creditUpdate, creditRequest): (UInt16, UInt16, UInt16, UInt16) = (4, 5, 6, 7)
    }

    var sourceCID: UInt64
    var destinationCID: UInt64
    var sourcePort: UInt32
    var destinationPort: UInt32
    var length: UInt32 = 0
    var type: UInt16 = VsockHeader.stream
    var operation: UInt16
    var flags: UInt32 = 0
    var allocation: UInt32 = 0
    var forwarded: UInt32 = 0

    /// A packet of the host's.
    init(_ operation: UInt16, from hostPort: UInt32, to guestPort: UInt32, guestCID: UInt64) {
        (sourceCID, destinationCID, sourcePort, destinationPort) = (Self.hostCID, guestCID, hostPort, guestPort)
        self.operation = operation
    }

    /// - Parameter bytes: `size` of them.
    init(_ bytes: [UInt8]) {
        (sourceCID, destinationCID) = (bytes.little(0), bytes.little(8))
        (sourcePort, destinationPort, length) = (bytes.little(16), bytes.little(20), bytes.little(24))
        (type, operation) = (bytes.little(28), bytes.little(30))
        (flags, allocation, forwarded) = (bytes.little(32), bytes.little(36), bytes.little(40))
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.size)
        bytes.append(little: sourceCID)
        bytes.append(little: destinationCID)
        for word in [sourcePort, destinationPort, length] { bytes.append(little: word) }
        for half in [type, operation] { bytes.append(little: half) }
        for word in [flags, allocation, forwarded] { bytes.append(little: word) }
        return bytes
    }
}
