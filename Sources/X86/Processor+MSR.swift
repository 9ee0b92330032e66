// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// What RDMSR gives; nil where it raises #GP(0).
    public func readModelSpecific(_ index: UInt32) -> UInt64? {
        switch index {
        case MSR.timeStampCounter: bus.timeStampCounter() &+ msrs.timeStampOffset
        case MSR.sysenterCS: msrs.sysenterCS
        case MSR.sysenterESP: msrs.sysenterESP
        case MSR.sysenterEIP: msrs.sysenterEIP
        case MSR.pageAttributes: msrs.pageAttributes
        case MSR.efer: efer
        case MSR.star: msrs.star
        case MSR.lstar: msrs.lstar
        case MSR.cstar: msrs.cstar
        case MSR.syscallMask: msrs.syscallMask
        case MSR.fsBase: segments[SegmentRegister.fs].base
        case MSR.gsBase: segments[SegmentRegister.gs].base
        case MSR.kernelGSBase: msrs.kernelGSBase
        case MSR.tscAux: msrs.tscAux
        default: bus.readMSR(index)
        }
    }

    /// What WRMSR does; false where it raises #GP(0).
    public mutating func writeModelSpecific(_ index: UInt32, _ value: UInt64) -> Bool {
        switch index {
        case MSR.timeStampCounter: msrs.timeStampOffset = value &- bus.timeStampCounter()
        case MSR.sysenterCS: msrs.sysenterCS = value & 0xFFFF_FFFF
        case MSR.star: msrs.star = value
        case MSR.syscallMask: msrs.syscallMask = value & 0xFFFF_FFFF
        case MSR.tscAux:
            guard value >> 32 == 0 else { return false }
            msrs.tscAux = value
        case MSR.pageAttributes:
            for number in 0..<8 as Range<UInt64> {
                let type = value >> (8 * number) & 0xFF
                guard type < 8, type != 2, type != 3 else { return false }
            }
            msrs.pageAttributes = value
        case MSR.efer: return writeEFER(value)
        case MSR.sysenterESP, MSR.sysenterEIP, MSR.lstar, MSR.cstar, MSR.fsBase, MSR.gsBase, MSR.kernelGSBase:
            guard isCanonical(value) else { return false }
            switch index {
            case MSR.sysenterESP: msrs.sysenterESP = value
            case MSR.sysenterEIP: msrs.sysenterEIP = value
            case MSR.lstar: msrs.lstar = value
            case MSR.cstar: msrs.cstar = value
            case MSR.fsBase: segments[SegmentRegister.fs].base = value
            case MSR.gsBase: segments[SegmentRegister.gs].base = value
            default: msrs.kernelGSBase = value
            }
        default: return bus.writeMSR(index, value)
        }
        return true
    }

    private mutating func writeEFER(_ value: UInt64) -> Bool {
        guard value & ~EFER.defined == 0 else { return false }
        if (value ^ efer) & EFER.longModeEnable != 0 && cr0 & CR0.paging != 0 { return false }
        let new = value & ~EFER.longModeActive | efer & EFER.longModeActive
        if (new ^ efer) & EFER.noExecute != 0 { translations.forgetContext(globalsToo: true) }
        efer = new
        refreshMode()
        return true
    }
}
