// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// The capability MSRs of a modelled processor. SDM vol. 3, appendix A.
public struct Capabilities: Sendable, Equatable {
    public var name: String
    /// IA32_VMX_BASIC
    public var basic: UInt64
    public var pin: UInt64
    public var proc: UInt64
    public var exit: UInt64
    public var entry: UInt64
    /// The TRUE variants, which know the controls whose default is 1.
    public var truePin: UInt64
    public var trueProc: UInt64
    public var trueExit: UInt64
    public var trueEntry: UInt64
    public var proc2: UInt64
    /// IA32_VMX_MISC
    public var misc: UInt64
    public var cr0Fixed0: UInt64
    public var cr0Fixed1: UInt64
    public var cr4Fixed0: UInt64
    public var cr4Fixed1: UInt64
    /// IA32_VMX_EPT_VPID_CAP
    public var eptVPID: UInt64
    /// IA32_VMX_VMFUNC
    public var vmFunctions: UInt64
    public var featureControl: UInt64
    public var physicalAddressBits: UInt8
    /// Bits of IA32_DEBUGCTL and IA32_PERF_GLOBAL_CTRL that exist.
    public var debugControl: UInt64
    public var perfGlobalControl: UInt64

    /// Bochs's corei7_skylake_x: the lab's processor.
    public static let skylakeX = Capabilities(
        name: "corei7_skylake_x", basic: 0x00D8_1000_0000_002B,
        pin: 0x7F_0000_0016, proc: 0xF7F9_FFFE_0401_E172, exit: 0x007F_FFFF_0003_6DFF, entry: 0xFFFF_0000_11FF,
        truePin: 0x7F_0000_0016, trueProc: 0xF7F9_FFFE_0400_6172, trueExit: 0x007F_FFFF_0003_6DFB,
        trueEntry: 0xFFFF_0000_11FB, proc2: 0x0217_7FFF_0000_0000, misc: 0x0004_01E0,
        cr0Fixed0: 0x8000_0021, cr0Fixed1: 0xFFFF_FFFF, cr4Fixed0: 0x2000, cr4Fixed1: 0x37_27FF,
        eptVPID: 0xF01_0633_4141, vmFunctions: 1, featureControl: 5, physicalAddressBits: 40,
        debugControl: 0xDFC3, perfGlobalControl: 0x7_0000_000F)

    /// One without PML, APIC-register virtualization and virtual-interrupt delivery: for the ways that do without.
    public static let cannonLakeI3: Capabilities = {
        var capabilities = skylakeX
        capabilities.name = "corei3_cnl"
        for bit in [Proc2Control.enablePml, .apicRegisterVirtualization, .virtualInterruptDelivery] {
            capabilities.proc2 &= ~(bit.mask << 32)
        }
        return capabilities
    }()

    /// The value of a capability MSR (or IA32_FEATURE_CONTROL); nil for any other.
    public func msr(_ index: UInt32) -> UInt64? {
        switch index {
        case 0x3A: featureControl
        case 0x480: basic
        case 0x481: pin
        case 0x482: proc
        case 0x483: exit
        case 0x484: entry
        case 0x485: misc
        case 0x486: cr0Fixed0
        case 0x487: cr0Fixed1
        case 0x488: cr4Fixed0
        case 0x489: cr4Fixed1
        case 0x48A: 0x2E
        case 0x48B: proc2
        case 0x48C: eptVPID
        case 0x48D: truePin
        case 0x48E: trueProc
        case 0x48F: trueExit
        case 0x490: trueEntry
        case 0x491: vmFunctions
        default: nil
        }
    }

    public var revision: UInt32 { UInt32(truncatingIfNeeded: basic) & 0x7FFF_FFFF }
    public var preemptionTimerShift: UInt64 { misc & 31 }
    public var cr3Targets: UInt64 { misc >> 16 & 0x1FF }
    /// Bit n: activity state n (1 HLT, 2 shutdown, 3 wait-for-SIPI).
    public var activityStates: UInt64 { misc >> 5 & 0xE | 1 }
    public var storesLongModeActive: Bool { misc & 1 << 5 != 0 }
    public var allowsZeroInstructionLength: Bool { misc & 1 << 30 != 0 }
    public var allowsReadOnlyWrites: Bool { misc & 1 << 29 != 0 }

    public func may(_ bit: ProcControl) -> Bool { trueProc >> 32 & bit.mask != 0 }
    public func may(_ bit: Proc2Control) -> Bool { proc2 >> 32 & bit.mask != 0 }

    public func has(_ bit: EPTCapability) -> Bool { eptVPID >> UInt64(bit.rawValue) & 1 != 0 }

    /// Whether bits of an address are beyond what the processor has.
    func isBeyond(_ physical: UInt64) -> Bool { physical >> UInt64(physicalAddressBits) != 0 }
}

/// Bits of IA32_VMX_EPT_VPID_CAP. SDM vol. 3, appendix A.10.
public enum EPTCapability: UInt8, Sendable {
    case executeOnly = 0
    case walk4 = 6
    case uncacheable = 8
    case writeBack = 14
    case pages2M = 16
    case pages1G = 17
    case invept = 20
    case accessedDirty = 21
    case inveptSingle = 25
    case inveptAll = 26
    case invvpid = 32
    case invvpidAddress = 40
    case invvpidSingle = 41
    case invvpidAll = 42
    case invvpidSingleRetainingGlobals = 43
}
