// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Finds where a message ends in a stream of bytes: QMP has neither lengths nor a rule that a line is a message.
///
/// A message begins with `{` and ends with the bracket that closes it. Anything else than space between messages is
/// skipped up to the end of its line, and told once.
struct QMPFramer: Sendable {
    enum Frame: Equatable {
        case message([UInt8])
        /// What isn't the start of a message.
        case garbage
        /// A message is longer than the limit: there is no telling where the next one starts.
        case tooLong
    }

    private let limit: Int
    private var buffer: [UInt8] = []
    /// What is before has been handed out or skipped; it is dropped when more comes in.
    private var start = 0
    /// How far the buffer was looked at.
    private var scanned = 0
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isSkipping = false

    init(limit: Int) { self.limit = limit }

    /// Bytes that wait to be looked at or for the rest of their message.
    var waiting: Int { buffer.count - start }

    mutating func append(_ bytes: some Sequence<UInt8>) {
        buffer.removeFirst(start)
        scanned -= start
        start = 0
        buffer += bytes
    }

    mutating func next() -> Frame? {
        while scanned < buffer.count {
            let byte = buffer[scanned]
            scanned += 1
            if isSkipping {
                isSkipping = byte != 0x0A
            } else if depth == 0 {
                switch byte {
                case UInt8(ascii: "{"):
                    start = scanned - 1
                    depth = 1
                case 0x20, 0x09, 0x0A, 0x0D: break
                default:
                    isSkipping = true
                    return .garbage
                }
            } else if isEnd(byte) {
                guard scanned - start <= limit else { return .tooLong }
                defer { start = scanned }
                return .message(Array(buffer[start..<scanned]))
            }
        }
        if depth == 0 { start = scanned }
        return waiting > limit ? .tooLong : nil
    }

    /// Whether a byte within a message is its last.
    private mutating func isEnd(_ byte: UInt8) -> Bool {
        if isEscaped {
            isEscaped = false
        } else if isInString {
            if byte == UInt8(ascii: "\\") { isEscaped = true }
            if byte == UInt8(ascii: "\"") { isInString = false }
        } else {
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        return depth == 0
    }
}
