// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Bits of RFLAGS.
public enum Flag {
    public static let carry: UInt64 = 1 << 0
    public static let fixed: UInt64 = 1 << 1
    public static let parity: UInt64 = 1 << 2
    public static let adjust: UInt64 = 1 << 4
    public static let zero: UInt64 = 1 << 6
    public static let sign: UInt64 = 1 << 7
    public static let trap: UInt64 = 1 << 8
    public static let interrupt: UInt64 = 1 << 9
    public static let direction: UInt64 = 1 << 10
    public static let overflow: UInt64 = 1 << 11
    public static let ioPrivilege: UInt64 = 3 << 12
    public static let nestedTask: UInt64 = 1 << 14
    public static let resume: UInt64 = 1 << 16
    public static let virtual8086: UInt64 = 1 << 17
    public static let alignmentCheck: UInt64 = 1 << 18
    public static let virtualInterrupt: UInt64 = 1 << 19
    public static let virtualInterruptPending: UInt64 = 1 << 20
    public static let identification: UInt64 = 1 << 21

    /// The six that arithmetic sets.
    public static let status: UInt64 = carry | parity | adjust | zero | sign | overflow
}

/// Bits of CR0.
public enum CR0 {
    public static let protection: UInt64 = 1 << 0
    public static let monitorCoprocessor: UInt64 = 1 << 1
    public static let emulation: UInt64 = 1 << 2
    public static let taskSwitched: UInt64 = 1 << 3
    public static let extensionType: UInt64 = 1 << 4
    public static let numericError: UInt64 = 1 << 5
    public static let writeProtect: UInt64 = 1 << 16
    public static let alignmentMask: UInt64 = 1 << 18
    public static let notWriteThrough: UInt64 = 1 << 29
    public static let cacheDisable: UInt64 = 1 << 30
    public static let paging: UInt64 = 1 << 31
    static let defined: UInt64 = 0xE005_003F
}

/// Bits of CR4.
public enum CR4 {
    public static let virtual8086Extensions: UInt64 = 1 << 0
    public static let timeStampDisable: UInt64 = 1 << 2
    public static let debuggingExtensions: UInt64 = 1 << 3
    public static let pageSizeExtensions: UInt64 = 1 << 4
    public static let physicalAddressExtension: UInt64 = 1 << 5
    public static let machineCheck: UInt64 = 1 << 6
    public static let globalPages: UInt64 = 1 << 7
    public static let performanceCounter: UInt64 = 1 << 8
    public static let fxsave: UInt64 = 1 << 9
    public static let simdExceptions: UInt64 = 1 << 10
    public static let userModeInstructionPrevention: UInt64 = 1 << 11
    public static let vmx: UInt64 = 1 << 13
    public static let fsgsbase: UInt64 = 1 << 16
    public static let processContext: UInt64 = 1 << 17
    public static let xsave: UInt64 = 1 << 18
    public static let smep: UInt64 = 1 << 20
    public static let smap: UInt64 = 1 << 21

    /// What the interpreter implements; VMXE is the embedder's to add to `Processor.allowedCR4`.
    public static let implemented: UInt64 =
        timeStampDisable | debuggingExtensions | pageSizeExtensions | physicalAddressExtension | machineCheck
        | globalPages | performanceCounter | fxsave | simdExceptions | userModeInstructionPrevention | fsgsbase
        | processContext | xsave | smep | smap

    /// A change of one of these drops every translation, global ones too.
    static let flushing: UInt64 =
        pageSizeExtensions | physicalAddressExtension | globalPages | processContext | smep | smap
}

/// Bits of IA32_EFER.
public enum EFER {
    public static let syscall: UInt64 = 1 << 0
    public static let longModeEnable: UInt64 = 1 << 8
    public static let longModeActive: UInt64 = 1 << 10
    public static let noExecute: UInt64 = 1 << 11
    static let defined = syscall | longModeEnable | longModeActive | noExecute
}

/// Model-specific registers that the interpreter itself uses; all others are the bus's.
public enum MSR {
    public static let timeStampCounter: UInt32 = 0x10
    public static let sysenterCS: UInt32 = 0x174
    public static let sysenterESP: UInt32 = 0x175
    public static let sysenterEIP: UInt32 = 0x176
    public static let pageAttributes: UInt32 = 0x277
    public static let efer: UInt32 = 0xC000_0080
    public static let star: UInt32 = 0xC000_0081
    public static let lstar: UInt32 = 0xC000_0082
    public static let cstar: UInt32 = 0xC000_0083
    public static let syscallMask: UInt32 = 0xC000_0084
    public static let fsBase: UInt32 = 0xC000_0100
    public static let gsBase: UInt32 = 0xC000_0101
    public static let kernelGSBase: UInt32 = 0xC000_0102
    public static let tscAux: UInt32 = 0xC000_0103
}
