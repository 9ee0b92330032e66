// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

@testable import Devices

/// Two ends of a link that keeps packets whole; neither blocks. One end belongs to a device.
@safe final class PacketPair {
    let file: HostFile
    private var other: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0 else {
            fatalError("socketpair: errno \(errno)")
        }
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        file = HostFile(owning: ends[0])
        other = ends[1]
    }

    deinit { closeOther() }

    func closeOther() {
        if other >= 0 { close(other) }
        other = -1
    }

    func send(_ bytes: [UInt8]) {
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(other, $0.baseAddress, $0.count, 0) }
    }

    func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 70_000)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(other, $0.baseAddress, $0.count, 0) }
        return count < 0 ? nil : Array(bytes[..<count])
    }
}
