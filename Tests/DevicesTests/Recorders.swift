// SPDX-License-Identifier: MIT OR GPL-2.0-only
@testable import Devices

/// An interrupt line that remembers.
final class RecordingLine: InterruptLine {
    private(set) var level = false
    private(set) var edges = 0

    func set(_ level: Bool) {
        if level, !self.level { edges += 1 }
        self.level = level
    }
}

/// A message, as it was sent.
struct Message: Equatable {
    let address: UInt64
    let data: UInt32
}

final class RecordingSink: MessageSink {
    private(set) var messages: [Message] = []
    func send(address: UInt64, data: UInt32) { messages.append(Message(address: address, data: data)) }
    func take() -> [Message] {
        defer { messages = [] }
        return messages
    }
}

/// Something that a device's closure changes.
final class Box<Value> {
    var value: Value
    init(_ value: Value) { self.value = value }
}

extension BusDevice {
    func get(_ offset: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: read(offset: offset, size: 1)) }
    func put(_ offset: UInt64, _ value: UInt8) { write(offset: offset, size: 1, value: UInt64(value)) }
}
