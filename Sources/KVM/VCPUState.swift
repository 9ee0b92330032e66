// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVMABI

/// All that a vCPU is, taken out of it by `VCPU.save` and given to another by `VCPU.load`.
public struct VCPUState {
    let cpuid: CPUIDTable
    let kilohertz: UInt
    let registers: kvm_regs
    let special: SpecialRegisters
    /// KVM_GET_XSAVE's struct: x87, SSE, AVX and what else XCR0 may name.
    let extended: [UInt8]
    let xcrs: kvm_xcrs?
    let msrs: [MSRList.Entry]
    let debug: kvm_debugregs
    let mp: kvm_mp_state
    let events: kvm_vcpu_events

    enum SpecialRegisters {
        case one(kvm_sregs)
        /// With PDPTEs.
        case two(kvm_sregs2)

        var cr8: UInt64 {
            switch self {
            case .one(let registers): registers.cr8
            case .two(let registers): registers.cr8
            }
        }
    }
}

extension VCPU {
    /// Brings what the last exit left unfinished to its end, without entering the guest: the value of an IN or a load is delivered, an OUT is
    /// stepped over. Before that a vCPU's registers are those of an instruction half done, and `save` would lose the other half. KVM_RUN with
    /// immediate_exit
    ///
    /// - Returns: `.interrupted` when all is finished; `.exit` where the instruction needs user space once more, for the second half of an
    ///   access that crosses a page: see to it and call again.
    public func finishExit() throws(KVMError) -> (result: RunResult, ticks: UInt64, time: TickSpan) {
        let was = runPage.immediateExit
        runPage.setImmediateExit(true)
        defer { runPage.setImmediateExit(was) }
        return try timedRun()
    }

    /// Takes the whole state. The vCPU must have nothing unfinished: `finishExit`.
    public func save(_ layout: StateLayout) throws(KVMError) -> VCPUState {
        var (debug, mp, events, xcrs) = (kvm_debugregs(), kvm_mp_state(), kvm_vcpu_events(), kvm_xcrs())
        var extended = [UInt8](repeating: 0, count: MemoryLayout<kvm_xsave>.size)
        // What a wait ends is told by some devices only when they are asked for it: first.
        try file.call(.getMpState, &mp)
        let registers = try registers()
        let special: VCPUState.SpecialRegisters
        if layout.hasSpecialRegisters2 {
            var registers = kvm_sregs2()
            try file.call(.getSregs2, &registers)
            special = .two(registers)
        } else {
            special = .one(try specialRegisters())
        }
        try file.call(.getXsave, bytes: &extended)
        if layout.hasXCRs { try file.call(.getXcrs, &xcrs) }
        try file.call(.getDebugregs, &debug)
        let msrs = try allMSRs(layout.msrs)
        try file.call(.getVcpuEvents, &events)
        return VCPUState(
            cpuid: try cpuid(), kilohertz: UInt(try file.call(.getTscKhz)), registers: registers, special: special,
            extended: extended, xcrs: layout.hasXCRs ? xcrs : nil, msrs: msrs, debug: debug, mp: mp, events: events)
    }

    /// Gives a vCPU that has never run the state of another, of this device or of one that has all of the other's CPUID.
    public func load(_ state: VCPUState) throws(KVMError) {
        // CPUID says which bits of the registers there are; SET_REGS drops an exception, so events come last.
        try setCPUID(state.cpuid)
        if UInt(try file.call(.getTscKhz)) != state.kilohertz { try file.call(.setTscKhz, state.kilohertz) }
        switch state.special {
        case .one(let registers): try setSpecialRegisters(registers)
        case .two(var registers): try file.call(.setSregs2, &registers)
        }
        if var xcrs = state.xcrs { try file.call(.setXcrs, &xcrs) }
        var extended = state.extended
        try file.call(.setXsave, bytes: &extended)
        let taken = try setMSRs(state.msrs)
        if taken < state.msrs.count {
            let entry = state.msrs[taken]
            let (index, value) = (String(entry.index, radix: 16), String(entry.value, radix: 16))
            throw KVMError(
                operation: Ioctl.setMsrs.name, errno: .invalidArgument,
                meaning: "the device refuses 0x\(value) for MSR 0x\(index), which the other vCPU had")
        }
        var (debug, mp, events) = (state.debug, state.mp, state.events)
        try file.call(.setDebugregs, &debug)
        try setRegisters(state.registers)
        try file.call(.setMpState, &mp)
        try file.call(.setVcpuEvents, &events)
        // Without a local APIC in the kernel CR8 is the run page's; and that has to tell whether the guest takes interrupts.
        runPage.setCR8(state.special.cr8)
        _ = try finishExit()
    }

    /// Those of a list that this vCPU has: stock KVM's list names some that a guest's CPUID hides.
    private func allMSRs(_ indices: [UInt32]) throws(KVMError) -> [MSRList.Entry] {
        var found: [MSRList.Entry] = []
        var rest = indices[...]
        while !rest.isEmpty {
            let some = try msrs(Array(rest.prefix(200)))
            found += some
            // It stopped at one that it doesn't have.
            rest = rest.dropFirst(some.count < min(rest.count, 200) ? some.count + 1 : some.count)
        }
        return found
    }
}
