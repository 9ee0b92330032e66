// SPDX-License-Identifier: MIT OR GPL-2.0-only
package import VMXSim

/// How the processor that a case is about differs from the one at hand.
package struct Variant: Sendable {
    package let name: String
    private let change: @Sendable (inout Capabilities) -> Void

    private init(_ name: String, _ change: @escaping @Sendable (inout Capabilities) -> Void) {
        self.name = name
        self.change = change
    }

    /// The capabilities that the case is judged by. Those of a real processor only fit when they don't change.
    package func of(_ capabilities: Capabilities) -> Capabilities {
        var changed = capabilities
        change(&changed)
        return changed
    }

    package static let asIs = Variant("as it is") { _ in }
    package static let trapFlag = Variant("with the monitor trap flag") {
        $0.proc |= 1 << (32 + 27)
        $0.trueProc |= 1 << (32 + 27)
    }
    package static let bounds = Variant("with MPX") {
        $0.entry |= 1 << (32 + 16)
        $0.trueEntry |= 1 << (32 + 16)
    }
    package static let postedInterrupts = Variant("with posted interrupts") {
        $0.pin |= 1 << (32 + 7)
        $0.truePin |= 1 << (32 + 7)
    }
    package static let withoutHalt = Variant("without the HLT activity state") { $0.misc &= ~(1 << 6) }
    package static let withoutPML = Variant("without PML") { $0.proc2 &= ~(1 << (32 + 17)) }

    package static func without(_ capability: EPTCapability) -> Variant {
        Variant("without EPT capability \(capability)") { $0.eptVPID &= ~(1 << UInt64(capability.rawValue)) }
    }
}
