// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The capability MSRs of a processor: SDM vol. 3, appendix A.
struct ProcessorModel: Sendable, CustomStringConvertible {
    let description: String
    var basic: UInt64
    /// From the TRUE MSRs where `basic` says that they exist: what may be 1 in the high half, what must be in the low.
    var pin, proc, exit, entry: UInt64
    var proc2: UInt64
    var eptVPID: UInt64
    var cr4Allowed: UInt64 = 0x3767ff

    var hasTrueControls: Bool { basic >> 55 & 1 == 1 }

    var msrs: [(UInt32, UInt64)] {
        let base: UInt32 = hasTrueControls ? 0x48d : 0x481
        return [
            (0x480, basic), (base, pin), (base + 1, proc), (base + 2, exit), (base + 3, entry), (0x48b, proc2),
            (0x48c, eptVPID),
            (0x485, 0x2005), (0x486, 0x8000_0021), (0x487, 0xffff_ffff), (0x488, 0x2000), (0x489, cr4Allowed),
        ]
    }

    /// Bochs's corei7_skylake_x, read in the lab.
    static let skylake = ProcessorModel(
        description: "corei7_skylake_x of Bochs", basic: 0x00d8_1000_0000_002b, pin: 0x7f_0000_0016,
        proc: 0xf7f9_fffe_0400_6172,
        exit: 0x7f_ffff_0003_6dfb, entry: 0xffff_0000_11fb, proc2: 0x0217_7fff_0000_0000, eptVPID: 0xf01_0633_4141)
    /// A later Xeon: posted interrupts, notify exits, TSC scaling, PML and more.
    static let sapphireRapids = ProcessorModel(
        description: "a Sapphire Rapids", basic: 0x00da_0400_0000_0013, pin: 0xff_0000_0016,
        proc: 0xfffb_fffe_0400_6172,
        exit: 0xf7ff_ffff_0003_6dfb, entry: 0x3f_ffff_0000_11fb, proc2: 0xf77f_ffff_0000_0000, eptVPID: 0xf01_0673_4141,
        cr4Allowed: 0x1ff_7fff)
    /// The first with all that is needed: no A/D bits for EPT, no INVPCID, no TSC scaling.
    static let westmere = ProcessorModel(
        description: "a Westmere", basic: 0x00da_0400_0000_000f, pin: 0x7f_0000_0016, proc: 0xf7f9_fffe_0400_6172,
        exit: 0x7f_ffff_0003_6dfb, entry: 0xffff_0000_11fb, proc2: 0xff_0000_0000, eptVPID: 0xf01_0611_4141,
        cr4Allowed: 0x267ff)
    /// A hypervisor's virtual processor: no TRUE MSRs, INVEPT and INVVPID of everything only, no instruction information.
    static let nested = ProcessorModel(
        description: "a nested VMX without TRUE controls", basic: 0x0018_1000_0000_0001, pin: 0x7f_0000_0016,
        proc: 0xf7f9_fffe_0401_e172, exit: 0x7f_ffff_0003_6dff, entry: 0xffff_0000_11ff, proc2: 0xa2_0000_0000,
        eptVPID: 0x401_0411_4040)

    static let all = [skylake, sapphireRapids, westmere, nested]
}
