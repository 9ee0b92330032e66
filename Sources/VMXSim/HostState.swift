// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// The processor's state outside of guests, as far as VM exits load it. SDM vol. 3, 28.5.
public struct HostState: Sendable, Equatable {
    public var cr0: UInt64 = 0x8005_0033
    public var cr3: UInt64 = 0x1000
    public var cr4: UInt64 = 0x37_26F8 & ~(1 << 17)
    public var dr7: UInt64 = 0x400
    public var debugControl: UInt64 = 0
    public var efer: UInt64 = 0xD01
    public var pat: UInt64 = 0x0007_0406_0007_0406
    public var rsp: UInt64 = 0
    public var rip: UInt64 = 0
    public var cs: UInt16 = 0x10
    public var ss: UInt16 = 0x18
    public var ds: UInt16 = 0
    public var es: UInt16 = 0
    public var fs: UInt16 = 0
    public var gs: UInt16 = 0
    public var tr: UInt16 = 0x40
    public var fsBase: UInt64 = 0
    public var gsBase: UInt64 = 0xFFFF_8880_0000_0000
    public var trBase: UInt64 = 0xFFFF_FE00_0000_3000
    public var gdtrBase: UInt64 = 0xFFFF_FE00_0000_1000
    public var idtrBase: UInt64 = 0xFFFF_FE00_0000_0000
    public var sysenterCS: UInt64 = 0x10
    public var sysenterESP: UInt64 = 0xFFFF_FE00_0000_3000
    public var sysenterEIP: UInt64 = 0xFFFF_FFFF_8100_0000

    /// A 64-bit operating system's.
    public init() {}

    /// What VM exit loads. SDM vol. 3, 28.5.1 to 28.5.3.
    mutating func load(_ vmcs: VMCS) {
        cr0 = vmcs[.hostCr0] & ~untouchedCR0 | cr0 & untouchedCR0
        cr3 = vmcs[.hostCr3]
        cr4 = vmcs[.hostCr4]
        dr7 = Bit.dr7Fixed
        debugControl = 0
        if vmcs.has(ExitControl.loadEfer) { efer = vmcs[.hostIa32Efer] }
        if vmcs.has(ExitControl.loadPat) { pat = vmcs[.hostIa32Pat] }
        rsp = vmcs[.hostRsp]
        rip = vmcs[.hostRip]
        func selector(_ field: VMCSField) -> UInt16 { UInt16(truncatingIfNeeded: vmcs[field]) }
        cs = selector(.hostCsSelector)
        ss = selector(.hostSsSelector)
        ds = selector(.hostDsSelector)
        es = selector(.hostEsSelector)
        fs = selector(.hostFsSelector)
        gs = selector(.hostGsSelector)
        tr = selector(.hostTrSelector)
        fsBase = vmcs[.hostFsBase]
        gsBase = vmcs[.hostGsBase]
        trBase = vmcs[.hostTrBase]
        gdtrBase = vmcs[.hostGdtrBase]
        idtrBase = vmcs[.hostIdtrBase]
        sysenterCS = vmcs[.hostSysenterCs]
        sysenterESP = vmcs[.hostSysenterEsp]
        sysenterEIP = vmcs[.hostSysenterEip]
    }
}
