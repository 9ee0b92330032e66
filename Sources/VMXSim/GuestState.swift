// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// A segment register as the VMCS has it.
public struct GuestSegment: Sendable, Equatable {
    public var selector: UInt16
    public var base: UInt64
    public var limit: UInt32
    /// With bit 16: unusable.
    public var access: UInt32

    public init(selector: UInt16 = 0, base: UInt64 = 0, limit: UInt32 = 0, access: UInt32 = 0) {
        self.selector = selector
        self.base = base
        self.limit = limit
        self.access = access
    }
}

/// What VM entry loads into the processor and VM exit saves from it. SDM vol. 3, 27.3.2 and 28.3.
public struct GuestState: Sendable {
    public var cr0: UInt64 = 0
    public var cr3: UInt64 = 0
    public var cr4: UInt64 = 0
    public var dr7: UInt64 = 0x400
    public var rsp: UInt64 = 0
    public var rip: UInt64 = 0
    public var rflags: UInt64 = 2
    /// ES, CS, SS, DS, FS, GS, LDTR, TR.
    public var segments = InlineArray<8, GuestSegment>(repeating: GuestSegment())
    public var gdtr = GuestSegment()
    public var idtr = GuestSegment()
    public var debugControl: UInt64 = 0
    public var sysenterCS: UInt64 = 0
    public var sysenterESP: UInt64 = 0
    public var sysenterEIP: UInt64 = 0
    public var pat: UInt64 = 0
    public var efer: UInt64 = 0
    public var pdptes = InlineArray<4, UInt64>(repeating: 0)
    /// 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI.
    public var activity: UInt64 = 0
    /// Bit 0 STI, 1 MOV SS, 3 NMI.
    public var interruptibility: UInt64 = 0
    public var pendingDebug: UInt64 = 0

    public init() {}

    /// PAE paging, whose four pointers the processor keeps.
    var usesPAE: Bool { cr0 & Bit.cr0PG != 0 && cr4 & Bit.cr4PAE != 0 && efer & Bit.eferLMA == 0 }
}

/// Bits of CR0 that neither VM entry nor VM exit changes: ET, NW, CD and reserved ones. SDM vol. 3, 27.3.2.1.
let untouchedCR0: UInt64 = 0x7FFA_FFD0

extension GuestState {
    /// What VM entry loads. SDM vol. 3, 27.3.2.
    /// - Parameter current: the processor's state before, of which parts stay.
    init(_ vmcs: VMCS, over current: HostState, memory: any PhysicalMemory) {
        cr0 = vmcs[.guestCr0] & ~untouchedCR0 | current.cr0 & untouchedCR0
        cr3 = vmcs[.guestCr3]
        cr4 = vmcs[.guestCr4]
        // Bits 12, 14 and 15 are always 0, 10 is always 1.
        dr7 = vmcs.has(EntryControl.loadDebugControls) ? vmcs[.guestDr7] & 0xFFFF_2FFF | Bit.dr7Fixed : current.dr7
        debugControl = vmcs.has(EntryControl.loadDebugControls) ? vmcs[.guestIa32Debugctl] : current.debugControl
        rsp = vmcs[.guestRsp]
        rip = vmcs[.guestRip]
        rflags = vmcs[.guestRflags]
        for (index, fields) in EntryChecker.SegmentFields.all.enumerated() {
            segments[index] = GuestSegment(
                selector: UInt16(truncatingIfNeeded: vmcs[fields.selector]), base: vmcs[fields.base],
                limit: UInt32(truncatingIfNeeded: vmcs[fields.limit]),
                access: UInt32(truncatingIfNeeded: vmcs[fields.access]) & 0x1_F0FF)
        }
        gdtr = GuestSegment(
            base: vmcs[.guestGdtrBase], limit: UInt32(truncatingIfNeeded: vmcs[.guestGdtrLimit]))
        idtr = GuestSegment(
            base: vmcs[.guestIdtrBase], limit: UInt32(truncatingIfNeeded: vmcs[.guestIdtrLimit]))
        sysenterCS = vmcs[.guestSysenterCs]
        sysenterESP = vmcs[.guestSysenterEsp]
        sysenterEIP = vmcs[.guestSysenterEip]
        pat = vmcs.has(EntryControl.loadPat) ? vmcs[.guestIa32Pat] : current.pat
        efer = GuestState.efer(vmcs, over: current)
        activity = vmcs[.guestActivityState]
        interruptibility = vmcs[.guestInterruptibility]
        pendingDebug = vmcs[.guestPendingDebug]
        guard usesPAE else { return }
        let fields: [VMCSField] = [.guestPdpte0, .guestPdpte1, .guestPdpte2, .guestPdpte3]
        let usesEPT = vmcs.has(Proc2Control.enableEpt)
        for (index, field) in fields.enumerated() {
            pdptes[index] = usesEPT ? vmcs[field] : memory.load((cr3 & 0xFFFF_FFE0) + UInt64(index) * 8)
        }
    }

    private static func efer(_ vmcs: VMCS, over current: HostState) -> UInt64 {
        if vmcs.has(EntryControl.loadEfer) { return vmcs[.guestIa32Efer] }
        let isLongMode = vmcs.has(EntryControl.ia32eModeGuest)
        var efer = current.efer & ~Bit.eferLMA | (isLongMode ? Bit.eferLMA : 0)
        // LME follows only where the guest pages.
        if vmcs[.guestCr0] & Bit.cr0PG != 0 {
            efer = efer & ~Bit.eferLME | (isLongMode ? Bit.eferLME : 0)
        }
        return efer
    }

    /// What VM exit saves. SDM vol. 3, 28.3.
    func save(to vmcs: VMCS, _ capabilities: Capabilities) {
        vmcs[.guestCr0] = cr0
        vmcs[.guestCr3] = cr3
        vmcs[.guestCr4] = cr4
        if vmcs.has(ExitControl.saveDebugControls) {
            vmcs[.guestDr7] = dr7
            vmcs[.guestIa32Debugctl] = debugControl
        }
        vmcs[.guestRsp] = rsp
        vmcs[.guestRip] = rip
        vmcs[.guestRflags] = rflags
        for (index, fields) in EntryChecker.SegmentFields.all.enumerated() {
            let segment = segments[index]
            vmcs[fields.selector] = UInt64(segment.selector)
            vmcs[fields.base] = segment.base
            vmcs[fields.limit] = UInt64(segment.limit)
            vmcs[fields.access] = UInt64(segment.access)
        }
        vmcs[.guestGdtrBase] = gdtr.base
        vmcs[.guestGdtrLimit] = UInt64(gdtr.limit)
        vmcs[.guestIdtrBase] = idtr.base
        vmcs[.guestIdtrLimit] = UInt64(idtr.limit)
        vmcs[.guestSysenterCs] = sysenterCS
        vmcs[.guestSysenterEsp] = sysenterESP
        vmcs[.guestSysenterEip] = sysenterEIP
        if vmcs.has(ExitControl.savePat) { vmcs[.guestIa32Pat] = pat }
        if vmcs.has(ExitControl.saveEfer) { vmcs[.guestIa32Efer] = efer }
        vmcs[.guestActivityState] = activity
        vmcs[.guestInterruptibility] = interruptibility
        vmcs[.guestPendingDebug] = pendingDebug
        if vmcs.has(Proc2Control.enableEpt), usesPAE {
            vmcs[.guestPdpte0] = pdptes[0]
            vmcs[.guestPdpte1] = pdptes[1]
            vmcs[.guestPdpte2] = pdptes[2]
            vmcs[.guestPdpte3] = pdptes[3]
        }
        if capabilities.storesLongModeActive {
            let mode = EntryControl.ia32eModeGuest.mask
            vmcs[.entryControls] = vmcs[.entryControls] & ~mode | (efer & Bit.eferLMA != 0 ? mode : 0)
        }
    }
}
