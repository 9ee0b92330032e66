// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXSim

/// Guests that VM entry accepts, to be spoilt one field at a time.
enum Base: Sendable, CaseIterable {
    /// 64-bit code, EPT and unrestricted guest.
    case long64
    /// Real mode, through unrestricted guest.
    case real
    /// 32-bit paging without unrestricted guest.
    case restricted32
    /// PAE paging.
    case pae32
    /// Virtual-8086 mode.
    case virtual8086
}

enum Fixture {
    static let vmxon: UInt64 = 0x8000
    static let region: UInt64 = 0x9000
    static let eptp: UInt64 = 0x10_001E

    /// A processor in VMX operation whose current VMCS VM entry accepts.
    static func processor(
        _ base: Base = .long64, _ capabilities: Capabilities = .skylakeX, memory: TestMemory = TestMemory()
    ) -> VMXProcessor {
        memory.words[vmxon] = UInt64(capabilities.revision)
        memory.words[region] = UInt64(capabilities.revision)
        let processor = VMXProcessor(capabilities, memory: memory)
        _ = processor.vmxon(vmxon)
        _ = processor.vmclear(region)
        _ = processor.vmptrld(region)
        if let vmcs = processor.current { fill(vmcs, base, processor.host) }
        return processor
    }

    private static func fill(_ vmcs: VMCS, _ base: Base, _ host: HostState) {
        controls(vmcs, base)
        hostState(vmcs, host)
        guestState(vmcs, base)
    }

    private static func controls(_ vmcs: VMCS, _ base: Base) {
        vmcs[.pinControls] = 0x3F
        vmcs[.procControls] = 0x9500_61F2
        vmcs[.proc2Controls] = base == .restricted32 ? 0x22 : 0xA2
        vmcs[.exitControls] = 0x3F_6FFF
        vmcs[.entryControls] = base == .long64 ? 0xD3FF : 0xD1FF
        vmcs[.vpid] = 1
        vmcs[.eptPointer] = eptp
        vmcs[.msrBitmap] = 0x11000
        vmcs[.vmcsLinkPointer] = .max
    }

    private static func hostState(_ vmcs: VMCS, _ host: HostState) {
        vmcs[.hostCr0] = host.cr0
        vmcs[.hostCr3] = host.cr3
        vmcs[.hostCr4] = host.cr4
        vmcs[.hostIa32Efer] = host.efer
        vmcs[.hostIa32Pat] = host.pat
        vmcs[.hostCsSelector] = UInt64(host.cs)
        vmcs[.hostSsSelector] = UInt64(host.ss)
        vmcs[.hostTrSelector] = UInt64(host.tr)
        vmcs[.hostGsBase] = host.gsBase
        vmcs[.hostTrBase] = host.trBase
        vmcs[.hostGdtrBase] = host.gdtrBase
        vmcs[.hostIdtrBase] = host.idtrBase
        vmcs[.hostSysenterCs] = host.sysenterCS
        vmcs[.hostSysenterEsp] = host.sysenterESP
        vmcs[.hostSysenterEip] = host.sysenterEIP
        vmcs[.hostRip] = 0xFFFF_FFFF_8120_0000
    }

    private static func guestState(_ vmcs: VMCS, _ base: Base) {
        vmcs[.guestCr0] = base == .real ? 0x30 : base == .long64 ? 0x8005_0033 : 0x8000_0031
        vmcs[.guestCr4] = base == .long64 || base == .pae32 ? 0x2020 : 0x2000
        vmcs[.guestCr3] = 0x1000
        vmcs[.guestIa32Efer] = base == .long64 ? 0xD01 : 0
        vmcs[.guestIa32Pat] = 0x0007_0406_0007_0406
        vmcs[.guestDr7] = 0x400
        vmcs[.guestRip] = 0x1_0000
        vmcs[.guestRsp] = 0x8000
        vmcs[.guestRflags] = base == .virtual8086 ? 0x2_0002 : 2
        for index in 0..<6 as Range<UInt32> {
            let isCode = index == 1
            let selector: UInt64 =
                base == .real || base == .virtual8086 ? 0x100 : isCode ? 0x10 : 0x18
            let flat = base == .real || base == .virtual8086
            set(vmcs, .guestEsSelector, index, selector)
            set(vmcs, .guestEsBase, index, flat ? selector << 4 : 0)
            set(vmcs, .guestEsLimit, index, flat ? 0xFFFF : 0xFFFF_FFFF)
            let access: UInt64 =
                switch base {
                case .real: isCode ? 0x9B : 0x93
                case .virtual8086: 0xF3
                case .long64: isCode ? 0xA09B : 0xC093
                default: isCode ? 0xC09B : 0xC093
                }
            set(vmcs, .guestEsAccessRights, index, access)
        }
        vmcs[.guestLdtrAccessRights] = 0x1_0000
        vmcs[.guestTrSelector] = 0x20
        vmcs[.guestTrLimit] = 0x67
        vmcs[.guestTrAccessRights] = 0x8B
        vmcs[.guestGdtrLimit] = 0xFFFF
        vmcs[.guestIdtrLimit] = 0xFFFF
    }

    private static func set(_ vmcs: VMCS, _ first: VMCSField, _ index: UInt32, _ value: UInt64) {
        if let field = VMCSField(rawValue: first.rawValue + 2 * index) { vmcs[field] = value }
    }
}
