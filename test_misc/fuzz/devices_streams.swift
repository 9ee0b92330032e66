// SPDX-License-Identifier: MIT OR GPL-2.0-only
@testable import Devices

/// A stream that gives what it was made of, and takes as much as it last gave.
final class Stream: VsockStream {
    let descriptor: Int32
    private var bytes: [UInt8]

    init(_ descriptor: Int32, _ bytes: [UInt8]) { (self.descriptor, self.bytes) = (descriptor, bytes) }

    func receive(_ most: Int) -> VsockInput {
        guard let first = bytes.first else { return descriptor % 3 == 0 ? .end : .wait }
        if first == 0xFF { return .failed }
        defer { bytes.removeFirst(min(most, bytes.count)) }
        return .bytes(Array(bytes.prefix(most)))
    }
    func send(_ bytes: [UInt8]) -> Int? { descriptor % 5 == 0 ? nil : bytes.count / 2 }
    func endOutput() {}
}

final class Streams: VsockHost {
    let listener: Int32 = 1
    var calls: [Stream] = []
    private var last: Int32 = 1

    func next() -> Int32 {
        last += 1
        return last
    }
    func accept() -> (any VsockStream)? {
        guard let call = calls.popLast() else { return nil }
        // Most inputs wouldn't find these words.
        return Stream(call.descriptor, Array("CONNECT 1\n".utf8))
    }
    func connect(port: UInt32) -> (any VsockStream)? {
        port == 0 ? nil : Stream(next(), [UInt8](repeating: UInt8(truncatingIfNeeded: port), count: Int(port % 1000)))
    }
}
