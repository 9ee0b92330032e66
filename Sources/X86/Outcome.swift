// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// How `Processor.step()` or `run(limit:)` ended.
public enum Outcome: Sendable, Equatable {
    /// The instruction, or the asked number of them, is done, and its exceptions (if any) are delivered.
    case retired
    /// The processor sleeps until an event is delivered to it.
    case halted
    /// The instruction at RIP is one of `intercepts` and has done nothing; `Processor.interception` has the details.
    case intercepted(InterceptPoint)
    /// The exception is one of `interceptedExceptions` and isn't delivered; for #PF, the address is in `faultAddress`
    /// (CR2 is unchanged). The registers are as at the instruction's start; for #DB traps, RIP is the next instruction's.
    /// For INT3, INTO and INT1 too RIP is at the instruction, whose length is in `Processor.delivering`.
    case exception(ProcessorException)
    /// The bus refused an access and knows why; the registers are as at the instruction's start, so it can be run again.
    case refused
    /// A fault while a double fault was delivered: the processor is stopped.
    case tripleFault
}

/// What was being delivered through the IDT when something else came between.
public struct Delivery: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        case externalInterrupt = 0
        case nmi = 2
        case exception = 3
        case softwareInterrupt = 4
        case privilegedSoftwareException = 5
        case softwareException = 6
    }

    public var vector: UInt8
    public var kind: Kind
    public var errorCode: UInt32?
    /// Bytes of the INT n, INT3, INTO or INT1 that asked for it.
    public var length: UInt8 = 0

    public init(vector: UInt8, kind: Kind, errorCode: UInt32? = nil, length: UInt8 = 0) {
        self.vector = vector
        self.kind = kind
        self.errorCode = errorCode
        self.length = length
    }

    var isSoftware: Bool {
        switch kind {
        case .softwareInterrupt, .softwareException: true
        default: false
        }
    }
}
