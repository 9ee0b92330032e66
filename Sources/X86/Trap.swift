// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An exception as the processor delivers it (SDM vol. 3, ch. 6).
public struct ProcessorException: Sendable, Equatable {
    public var vector: UInt8
    public var errorCode: UInt32?

    public init(vector: UInt8, errorCode: UInt32? = nil) {
        self.vector = vector
        self.errorCode = errorCode
    }

    public static let divideError: UInt8 = 0
    public static let debug: UInt8 = 1
    public static let breakpoint: UInt8 = 3
    public static let overflow: UInt8 = 4
    public static let boundRange: UInt8 = 5
    public static let undefined: UInt8 = 6
    public static let deviceNotAvailable: UInt8 = 7
    public static let doubleFault: UInt8 = 8
    public static let invalidTSS: UInt8 = 10
    public static let segmentNotPresent: UInt8 = 11
    public static let stack: UInt8 = 12
    public static let generalProtection: UInt8 = 13
    public static let pageFault: UInt8 = 14
    public static let floatingPoint: UInt8 = 16
    public static let alignmentCheck: UInt8 = 17
    public static let simd: UInt8 = 19

    /// Whether deliveries of this vector push an error code.
    static func hasErrorCode(_ vector: UInt8) -> Bool {
        switch vector {
        case doubleFault, 10...14, alignmentCheck, 21: true
        default: false
        }
    }
}

/// Why an instruction stopped half-way. Small, since it is the error type of nearly every function here: what belongs to
/// it beyond these bits (CR2, the intercept) waits in the processor.
struct Trap: Error {
    enum Kind: UInt8 { case exception, intercept, refused, unsupported, software }

    var kind: Kind
    var vector: UInt8 = 0
    var code: UInt32 = 0

    static let undefined = Trap(kind: .exception, vector: ProcessorException.undefined)
    static let divide = Trap(kind: .exception, vector: ProcessorException.divideError)
    static let deviceNotAvailable = Trap(kind: .exception, vector: ProcessorException.deviceNotAvailable)
    static let floatingPoint = Trap(kind: .exception, vector: ProcessorException.floatingPoint)
    static let simd = Trap(kind: .exception, vector: ProcessorException.simd)
    static let general = Trap(kind: .exception, vector: ProcessorException.generalProtection)
    static let stack = Trap(kind: .exception, vector: ProcessorException.stack)
    /// The embedder wants to see this instruction; the processor's `interception` says which.
    static let intercept = Trap(kind: .intercept)
    /// The bus would not complete an access.
    static let refused = Trap(kind: .refused)
    /// #UD of an instruction that a processor has and the interpreter hasn't.
    static let unsupported = Trap(kind: .unsupported, vector: ProcessorException.undefined)

    /// INT n, INT3, INTO or INT1; the processor's `softwareEvent` says which.
    static let software = Trap(kind: .software)

    static func exception(_ vector: UInt8, _ code: UInt32 = 0) -> Trap {
        Trap(kind: .exception, vector: vector, code: code)
    }
    static func general(_ selector: UInt16) -> Trap { exception(13, UInt32(selector) & 0xFFFC) }
    static func stack(_ selector: UInt16) -> Trap { exception(12, UInt32(selector) & 0xFFFC) }
    static func notPresent(_ selector: UInt16) -> Trap { exception(11, UInt32(selector) & 0xFFFC) }
    static func invalidTSS(_ selector: UInt16) -> Trap { exception(10, UInt32(selector) & 0xFFFC) }

    var exception: ProcessorException {
        ProcessorException(vector: vector, errorCode: ProcessorException.hasErrorCode(vector) ? code : nil)
    }
}
