// SPDX-License-Identifier: MIT OR GPL-2.0-only
import VMXSim
import X86

/// Between what a VMCS holds and what the interpreter runs on.
extension Processor {
    mutating func load(_ state: GuestState) {
        cr0 = state.cr0
        cr3 = state.cr3
        cr4 = state.cr4
        efer = state.efer
        rip = state.rip
        registers[Register.rsp] = state.rsp
        flags = state.rflags
        for number in 0..<6 { segments[number] = Segment(state.segments[number]) }
        if cr0 & CR0.protection == 0 {
            // In real mode CS is as writable as it is after a reset (SDM vol. 3, table 9-1), and as the lab's processor has it.
            segments[SegmentRegister.cs].access = segments[SegmentRegister.cs].access & ~0xF | 3
        }
        ldtr = Segment(state.segments[6])
        tr = Segment(state.segments[7])
        gdtr = DescriptorTable(base: state.gdtr.base, limit: UInt16(truncatingIfNeeded: state.gdtr.limit))
        idtr = DescriptorTable(base: state.idtr.base, limit: UInt16(truncatingIfNeeded: state.idtr.limit))
        debugRegisters[7] = state.dr7
        msrs.sysenterCS = state.sysenterCS
        msrs.sysenterESP = state.sysenterESP
        msrs.sysenterEIP = state.sysenterEIP
        msrs.pageAttributes = state.pat
        pageDirectoryPointers = state.pdptes
        // The VMCS keeps CPL in SS.DPL. SDM vol. 3, 25.4.1.
        privilege = segments[SegmentRegister.ss].privilege
        interruptShadow =
            state.interruptibility & 2 != 0 ? .stackSegment : state.interruptibility & 1 != 0 ? .sti : .none
        blocksNMI = state.interruptibility & 8 != 0
        isHalted = state.activity == 1
        pendingDebug = state.pendingDebug & 0x400F
        refreshMode()
    }

    /// What VM exit saves; `debugControl` is nobody's but the VMCS's.
    func guestState(debugControl: UInt64) -> GuestState {
        var state = GuestState()
        state.cr0 = cr0
        state.cr3 = cr3
        state.cr4 = cr4
        state.efer = efer
        state.rip = rip
        state.rsp = registers[Register.rsp]
        state.rflags = flags
        for number in 0..<6 { state.segments[number] = GuestSegment(segments[number]) }
        state.segments[6] = GuestSegment(ldtr)
        state.segments[7] = GuestSegment(tr)
        // CPL, whatever the descriptor says.
        state.segments[2].access = state.segments[2].access & ~0x60 | UInt32(privilege) << 5
        state.gdtr = GuestSegment(base: gdtr.base, limit: UInt32(gdtr.limit))
        state.idtr = GuestSegment(base: idtr.base, limit: UInt32(idtr.limit))
        state.dr7 = debugRegisters[7]
        state.debugControl = debugControl
        state.sysenterCS = msrs.sysenterCS
        state.sysenterESP = msrs.sysenterESP
        state.sysenterEIP = msrs.sysenterEIP
        state.pat = msrs.pageAttributes
        state.pdptes = pageDirectoryPointers
        state.interruptibility =
            (interruptShadow == .stackSegment ? 2 : interruptShadow == .sti ? 1 : 0) | (blocksNMI ? 8 : 0)
        state.activity = isHalted ? 1 : 0
        // Bit 12 says that a breakpoint was enabled.
        state.pendingDebug = pendingDebug | (pendingDebug & 0xF != 0 ? 1 << 12 : 0)
        return state
    }
}

extension Segment {
    init(_ segment: GuestSegment) {
        self.init(
            selector: segment.selector, base: segment.base, limit: segment.limit, access: segment.access)
    }
}

extension GuestSegment {
    init(_ segment: Segment) {
        self.init(
            selector: segment.selector, base: segment.base, limit: segment.limit, access: segment.access & 0x1_F0FF)
    }
}
