// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The test machine's ports: pure state; what there is to do on the vCPU is told by the action returned.
///
/// | port | direction | meaning |
/// |---|---|---|
/// | 0x3f8 | out | bytes of the guest's output |
/// | 0x3fd | in | 0x20: the line is ready for another byte |
/// | 0xf4 | out | the guest ends with this status |
/// | 0xe0 | out | queue an external interrupt of this vector |
/// | 0xe1 | out | an NMI |
/// | others | in | byte k of all input so far is 0xa0 + 7k |
public struct Ports: Sendable {
    public enum Action: Equatable, Sendable {
        case none
        case end(status: UInt32)
        case nmi
    }

    public private(set) var output: [UInt8] = []
    /// Vectors that wait to be injected, the first one first.
    public var interrupts: [UInt8] = []
    private var inputCount = 0

    public init() {}

    /// The guest wrote items of `size` bytes to a port.
    public mutating func write(_ port: UInt16, _ data: [UInt8], size: Int) -> Action {
        switch port {
        case 0x3f8:
            output += data
            return .none
        case 0xf4:
            let item = data.prefix(min(size, 4)).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return .end(status: item)
        case 0xe0:
            for start in stride(from: 0, to: data.count, by: max(size, 1)) { interrupts.append(data[start]) }
            return .none
        case 0xe1:
            return .nmi
        default:
            return .none
        }
    }

    /// The bytes that the guest reads from a port.
    public mutating func read(_ port: UInt16, count: Int) -> [UInt8] {
        if port == 0x3fd { return [UInt8](repeating: 0x20, count: count) }
        defer { inputCount += count }
        return (0..<count).map { UInt8(truncatingIfNeeded: 0xa0 &+ 7 &* (inputCount + $0)) }
    }

    /// The bytes that the guest loads from an address without memory.
    public static func load(_ address: UInt64, count: Int) -> [UInt8] {
        (0..<UInt64(count)).map { index in
            let at = address &+ index
            return UInt8(truncatingIfNeeded: (at ^ (at >> 8)) ^ 0x5a)
        }
    }
}
