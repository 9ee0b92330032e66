// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// One logical x86-64 processor.
///
/// Passed `inout` everywhere and never held by reference: with that, its state stays in place without run-time
/// exclusivity checks, which make an interpreter ten times slower. It knows nothing of VMX: an embedder says through
/// `intercepts` and `interceptedExceptions` what it wants to see, and reads and writes the state between steps.
public struct Processor: ~Copyable {
    /// RAX to R15 as encoded in instructions, then RIP.
    public var registers = RegisterFile<18, UInt64>(repeating: 0)
    /// RFLAGS. Bit 1 is always set.
    public var flags: UInt64 = Flag.fixed
    /// ES, CS, SS, DS, FS, GS.
    public var segments = RegisterFile<6, Segment>(repeating: Segment())
    public var ldtr = Segment(access: 0x82)
    public var tr = Segment(access: 0x8B)
    public var gdtr = DescriptorTable()
    public var idtr = DescriptorTable()
    public var cr0: UInt64 = CR0.extensionType
    public var cr2: UInt64 = 0
    public var cr3: UInt64 = 0
    public var cr4: UInt64 = 0
    /// The task priority, CR8.
    public var cr8: UInt64 = 0
    public var efer: UInt64 = 0
    public var xcr0: UInt64 = 1
    /// DR0 to DR7; 4 and 5 are unused.
    public var debugRegisters: InlineArray<8, UInt64> = [0, 0, 0, 0, 0, 0, 0xFFFF_0FF0, 0x400]
    /// SYSENTER, SYSCALL and other registers that only MSR instructions reach.
    public var msrs = SystemMSRs()
    /// What PAE paging keeps in the processor: the four page-directory pointers, loaded with CR3.
    public var pageDirectoryPointers = InlineArray<4, UInt64>(repeating: 0)
    public var vectors = VectorState()

    /// The current privilege level.
    public var privilege: UInt8 = 0
    /// The reason, if any, that events are held off until the next instruction is done.
    public var interruptShadow = InterruptShadow.none
    public var blocksNMI = false
    public var isHalted = false
    /// Debug exceptions to be delivered at the next instruction boundary, as bits of DR6 (B0-B3, BS).
    public var pendingDebug: UInt64 = 0

    // What the embedder wants to see.
    public var intercepts = InterceptSet()
    /// Bit n: exception n isn't delivered but reported.
    public var interceptedExceptions: UInt32 = 0
    /// Details of the last `Outcome.intercepted`.
    public internal(set) var interception = Interception(point: .hlt)
    /// The linear address of the last page fault.
    public internal(set) var faultAddress: UInt64 = 0
    /// The event whose delivery an outcome interrupted, or nil.
    public internal(set) var delivering: Delivery?
    /// CR4 bits that don't raise #GP.
    public var allowedCR4 = CR4.implemented
    /// Physical addresses have this many bits; higher ones in page tables are reserved.
    public var physicalAddressBits: UInt8 = 40

    public let bus: any Bus
    /// The TLB.
    public var translations: TranslationCache
    var decoded: DecodeCache
    /// Instructions that were finished, REP iterations not counted.
    public internal(set) var retired: UInt64 = 0
    /// What `run` has done in all: instructions, events delivered, pieces of repeated instructions.
    public internal(set) var steps: UInt64 = 0
    /// Instructions that raised #UD only because the interpreter hasn't got them.
    public internal(set) var unsupported = UnsupportedCounter()

    // Derived from the state above by `refreshMode()`.
    /// 2, 4 or 8: the default address size of the code segment, with 8 for 64-bit mode.
    var codeSize: UInt8 = 2
    var instructionPointerMask: UInt64 = 0xFFFF_FFFF
    var stackMask: UInt64 = 0xFFFF
    var stackSize: UInt8 = 2
    /// `AccessMode` of the running code's data accesses.
    var dataMode: UInt16 = AccessMode.supervisor
    var bypassesSegmentation = false
    /// Whether data that isn't aligned raises #AC.
    var checksAlignment = false
    /// Whether DR7 enables any breakpoint.
    var hasBreakpoints = false

    /// Whether the instruction in progress loaded SS, so that its own end is no place for an event.
    var newShadow = InterruptShadow.none
    /// What the INT instruction in progress asks for.
    var softwareEvent = Delivery(vector: 0, kind: .softwareInterrupt)
    /// Bits of DR6 for the #DB that is being delivered; an embedder that intercepts #DB finds them here.
    public var debugFault: UInt64 = 0
    /// A REP instruction that isn't done yet.
    var isRepeating = false
    /// The page that instructions come from: linear address, and host address minus linear address.
    var fetchPage: UInt64 = .max
    var fetchHost: UInt = 0

    /// A processor after reset, attached to a bus.
    /// - Parameter translationCapacity: size of the TLB, a power of two.
    public init(bus: any Bus, translationCapacity: Int = 1024) {
        self.bus = bus
        translations = TranslationCache(capacity: translationCapacity)
        decoded = DecodeCache(capacity: 4096)
        segments[SegmentRegister.cs] = Segment(selector: 0xF000, base: 0xFFFF_0000, access: 0x9B)
        registers[Registers.instructionPointer] = 0xFFF0
        registers[Register.rdx] = 0x600
        cr0 |= CR0.cacheDisable | CR0.notWriteThrough
        refreshMode()
    }

    /// RIP, EIP or IP.
    public var rip: UInt64 {
        @inline(__always) get { registers[16] }
        @inline(__always) set { registers[16] = newValue }
    }
}

/// Why events wait for one instruction (SDM vol. 3, 25.4.2 "interruptibility state").
public enum InterruptShadow: UInt8, Sendable {
    case none
    case sti
    /// MOV SS and POP SS hold off debug exceptions and NMIs too.
    case stackSegment
}

/// MSRs that instructions use implicitly.
public struct SystemMSRs: Sendable {
    public var star: UInt64 = 0
    public var lstar: UInt64 = 0
    public var cstar: UInt64 = 0
    public var syscallMask: UInt64 = 0
    public var kernelGSBase: UInt64 = 0
    public var sysenterCS: UInt64 = 0
    public var sysenterESP: UInt64 = 0
    public var sysenterEIP: UInt64 = 0
    public var tscAux: UInt64 = 0
    public var pageAttributes: UInt64 = 0x0007_0406_0007_0406
    /// Added to the bus's time-stamp counter.
    public var timeStampOffset: UInt64 = 0
}

/// XMM registers, MXCSR and the x87.
public struct VectorState: Sendable {
    public var xmm = InlineArray<16, SIMD2<UInt64>>(repeating: .zero)
    public var mxcsr: UInt32 = 0x1F80
    public var controlWord: UInt16 = 0x037F
    public var statusWord: UInt16 = 0
    /// The abridged tag word, as FXSAVE has it: bit n set when register n isn't empty.
    public var tagWord: UInt8 = 0
    /// The images of R0 to R7; ST(0) is the one that bits 13:11 of the status word tell, see `subscript(stack:)`. The low halves are
    /// the MMX registers.
    public var x87 = InlineArray<8, SIMD2<UInt64>>(repeating: .zero)
    public var lastOpcode: UInt16 = 0
    public var lastInstruction: UInt64 = 0
    public var lastData: UInt64 = 0
    public init() {}
}
