// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// One thing in which two runs of a guest differ.
public struct Difference: Equatable, Encodable, Sendable {
    public let what: String
    public let left: String
    public let right: String

    /// Everything in which two runs differ, cost aside.
    static func between(_ left: Outcome, _ right: Outcome) -> [Difference] {
        var found: [Difference] = []
        func compare(_ what: String, _ left: String, _ right: String) {
            if left != right { found.append(Difference(what: what, left: left, right: right)) }
        }
        compare("output", quoted(left.output), quoted(right.output))
        compare("end", left.end.description, right.end.description)
        let names = Set(left.exitCounts.keys).union(right.exitCounts.keys).sorted()
        for name in names {
            compare("\(name) exits", "\(left.exitCounts[name] ?? 0)", "\(right.exitCounts[name] ?? 0)")
        }
        if let index = firstDifferentExit(left, right) {
            func text(_ outcome: Outcome) -> String {
                index < outcome.exits.count ? outcome.exits[index].description : "none"
            }
            compare("exit \(index)", text(left), text(right))
        }
        for (one, other) in zip(left.state, right.state) { compare(one.name, one.value, other.value) }
        for (one, other) in zip(left.slots, right.slots) {
            guard let offset = firstDifferentByte(one, other) else { continue }
            let address = GuestAddress(one.base.rawValue &+ UInt64(offset))
            func text(_ slot: MemorySlot) -> String {
                let bytes = slot.read(at: address, count: min(8, slot.count - offset)) ?? []
                return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
            }
            found.append(
                Difference(what: "memory of slot \(one.slot) at \(address)", left: text(one), right: text(other)))
        }
        return found
    }

    private static func firstDifferentExit(_ left: Outcome, _ right: Outcome) -> Int? {
        for (index, (one, other)) in zip(left.exits, right.exits).enumerated() where !one.isSame(as: other) {
            return index
        }
        return left.exits.count == right.exits.count ? nil : min(left.exits.count, right.exits.count)
    }

    /// The offset in two slots of the same size where they begin to differ.
    static func firstDifferentByte(_ left: MemorySlot, _ right: MemorySlot) -> Int? {
        left.withBytes { one in
            right.withBytes { other in
                // Whole words first: slots can be large.
                let count = min(one.byteCount, other.byteCount)
                var offset = 0
                while offset + 8 <= count,
                    unsafe one.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
                        == other.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
                { offset += 8 }
                while offset < count {
                    if unsafe one.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
                        != other.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
                    {
                        return offset
                    }
                    offset += 1
                }
                return nil
            }
        }
    }
}

extension Outcome.End: CustomStringConvertible {
    /// The name, and what belongs to it.
    public var description: String {
        switch self {
        case .status(let status): "status \(status)"
        case .error(let error): "error: \(error)"
        default: name
        }
    }
}
