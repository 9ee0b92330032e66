// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A ring of bytes that never grows.
struct ByteFIFO {
    private var bytes: [UInt8]
    private var start = 0
    private(set) var count = 0

    init(capacity: Int) { bytes = Array(repeating: 0, count: capacity) }

    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count == bytes.count }
    var first: UInt8? { isEmpty ? nil : bytes[start] }

    /// Whoever appends has looked whether there is room.
    mutating func append(_ byte: UInt8) {
        precondition(!isFull)
        bytes[(start + count) % bytes.count] = byte
        count += 1
    }

    mutating func removeFirst() {
        precondition(!isEmpty)
        start = (start + 1) % bytes.count
        count -= 1
    }

    mutating func removeAll() { (start, count) = (0, 0) }
}
