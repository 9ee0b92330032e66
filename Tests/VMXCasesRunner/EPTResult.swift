// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// How an access through EPT ended, and what the four entries on its way hold then.
struct EPTResult: CustomStringConvertible {
    enum End {
        /// The access was made; what shows which page it was to, if that is memory.
        case done(UInt64?)
        /// Qualification, guest-physical and guest-linear address.
        case violation(UInt64, UInt64, UInt64)
        case misconfiguration(UInt64)
        case other(String)
    }

    let end: End
    let entries: [UInt64]

    /// Bits of the qualification that are defined without mode-based execution and advanced information.
    private static let defined: UInt64 = 0x1BF
    private static let hasLinear: UInt64 = 1 << 7

    /// Whether a machine did what the model did.
    func agrees(with machine: EPTResult) -> Bool {
        guard entries == machine.entries else { return false }
        switch (end, machine.end) {
        case (.done(let wanted), .done(let found)): return wanted == nil || wanted == found
        case (.violation(let wanted, let address, let linear), .violation(let found, let at, let of)):
            return (wanted ^ found) & Self.defined == 0 && address == at
                && (wanted & Self.hasLinear == 0 || linear == of)
        case (.misconfiguration(let address), .misconfiguration(let at)): return address == at
        default: return false
        }
    }

    private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

    var description: String {
        let words = entries.map { String($0, radix: 16) }.joined(separator: " ")
        let text =
            switch end {
            case .done(let value): "access made" + (value.map { " to \(Self.hex($0))" } ?? "")
            case .violation(let qualification, let address, let linear):
                "EPT violation \(Self.hex(qualification)) at \(Self.hex(address)) linear \(Self.hex(linear))"
            case .misconfiguration(let address): "EPT misconfiguration at \(Self.hex(address))"
            case .other(let what): what
            }
        return "\(text) [\(words)]"
    }
}
