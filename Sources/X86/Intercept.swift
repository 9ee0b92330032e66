// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Instructions that an embedder may take over: `Processor.intercepts` says which.
///
/// An intercepted instruction has passed the checks that come before a VM exit in SDM vol. 3, 26.1 (it is defined, the
/// privilege suffices, I/O is permitted) and has changed nothing; RIP points at it.
public enum InterceptPoint: UInt8, Sendable, CaseIterable {
    case hlt, cpuid, input, output, readMSR, writeMSR, writeCR, readCR, clts, lmsw, writeDR, readDR
    case invlpg, invpcid, rdtsc, rdtscp, rdpmc, pause, monitor, mwait, vmx, xsetbv, wbinvd, invd
    /// SGDT, SIDT, LGDT, LIDT; qualifier is the register field, 0 to 3.
    case descriptorTable
    /// SLDT, STR, LLDT, LTR; qualifier is the register field, 0 to 3.
    case taskRegister
    case rdrand, rdseed, rsm, rdpid
    /// A task switch, which only an embedder may perform.
    case taskSwitch
    case smsw
    /// IRET, which ends the blocking of NMIs.
    case iret
}

/// A set of intercept points.
public struct InterceptSet: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ points: InterceptPoint...) { rawValue = points.reduce(0) { $0 | 1 << UInt64($1.rawValue) } }

    public static let all = InterceptSet(rawValue: InterceptPoint.allCases.reduce(0) { $0 | 1 << UInt64($1.rawValue) })

    @inline(__always) func has(_ point: InterceptPoint) -> Bool { rawValue >> UInt64(point.rawValue) & 1 != 0 }
}

/// An instruction that stopped before it did anything because the embedder asked to see it.
public struct Interception: Sendable, Equatable {
    public var point: InterceptPoint
    /// The port, the MSR, the control or debug register, or the opcode for `vmx`.
    public var number: UInt32 = 0
    /// The general register (0-15) of a MOV to or from a control or debug register.
    public var register: UInt8 = 0
    /// Bytes of a port access.
    public var size: UInt8 = 0
    public var isString = false
    public var isRepeated = false
    public var isImmediate = false
    /// The linear address of INVLPG, of a string's element, or of a memory operand.
    public var linear: UInt64 = 0
    /// The value to be written, or LMSW's source.
    public var value: UInt64 = 0
    /// Whether `linear` is a memory operand's (LMSW, descriptor tables, VMX instructions).
    public var isMemory = false
    public var segment: UInt8 = 0
    public var addressSize: UInt8 = 0
    /// The instruction's bytes in length.
    public var length: UInt8 = 0
}
