// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import CKVMABI
public import KVM

/// How a run of a guest went, and the state that it left.
public struct Outcome {
    public enum End: Equatable, Sendable {
        case hlt
        /// The guest wrote its status to port 0xf4.
        case status(UInt32)
        case shutdown
        case failEntry
        case internalError
        case exitLimit
        case timeout
        /// KVM_RUN failed.
        case error(KVMError)
        /// Another exit that ends a run, by its short name.
        case other(String)

        /// As in guests.json.
        public var name: String {
            switch self {
            case .hlt: "hlt"
            case .status: "status"
            case .shutdown: "shutdown"
            case .failEntry: "fail_entry"
            case .internalError: "internal_error"
            case .exitLimit: "exit_limit"
            case .timeout: "timeout"
            case .error: "error"
            case .other(let name): name
            }
        }
    }

    public internal(set) var end = End.hlt
    public internal(set) var output: [UInt8] = []
    public internal(set) var exits: [ExitRecord] = []
    /// When KVM_RUN came back without an exit: interrupted, or only to finish the last one.
    public internal(set) var otherRuns: [TickSpan] = []
    public internal(set) var registers = kvm_regs()
    public internal(set) var specialRegisters = kvm_sregs()
    public internal(set) var fpu = kvm_fpu()
    public internal(set) var slots: [MemorySlot] = []

    public var status: UInt32? { if case .status(let status) = end { status } else { nil } }

    /// Exits of each kind, by their short name.
    public var exitCounts: [String: Int] { exits.reduce(into: [:]) { $0[$1.name, default: 0] += 1 } }

    /// What all KVM_RUN calls cost, in ticks of the TSC.
    public var ticks: UInt64 { exits.reduce(0) { $0 &+ $1.ticks } }

    /// The median cost of an exit of a kind, or of any kind.
    public func medianTicks(_ name: String? = nil) -> UInt64? {
        let costs = exits.filter { name == nil || $0.name == name }.map(\.ticks).sorted()
        guard !costs.isEmpty else { return nil }
        let upper = costs[costs.count / 2]
        return costs.count % 2 == 1 ? upper : (costs[costs.count / 2 - 1] + upper) / 2
    }

    public func value(of register: Register) -> UInt64 {
        if let path = register.general { return registers[keyPath: path] }
        if let path = register.special { return specialRegisters[keyPath: path] }
        return 0
    }
}
