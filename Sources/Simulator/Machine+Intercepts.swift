// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXSim
import X86

/// What becomes of an instruction that the interpreter stopped at. SDM vol. 3, 26.1 and 26.3.
extension Machine {
    enum Decision {
        case exit(VMExit)
        /// It behaves as it does outside of guests.
        case execute
        /// It is done, or has raised an exception.
        case done(Outcome)
    }

    func decide(_ vmcs: VMCS, _ point: InterceptPoint) -> Decision {
        let at = cpu.interception
        switch point {
        case .input, .output: return io(vmcs, at, isInput: point == .input)
        case .readMSR, .writeMSR:
            let isWrite = point == .writeMSR
            if vmcs.exits(msr: at.number, write: isWrite, vmx.memory) {
                return .exit(VMExit(isWrite ? .msrWrite : .msrRead, length: at.length))
            }
            return isWrite ? writeAPIC(vmcs, at) : readAPIC(vmcs, at)
        case .writeCR: return writeControlRegister(vmcs, at)
        case .readCR: return readControlRegister(vmcs, at)
        case .clts: return finish(vmcs.clts(cpu.cr0), 0)
        case .lmsw:
            return finish(
                vmcs.lmsw(UInt16(truncatingIfNeeded: at.value), over: cpu.cr0, fromMemory: at.isMemory), 0)
        case .smsw: return storeMachineStatus(vmcs)
        case .writeDR, .readDR:
            let qualification = VMCS.qualification(
                debugRegister: Int(at.number), isRead: point == .readDR, register: Int(at.register))
            return .exit(VMExit(.drAccess, qualification: qualification, length: at.length))
        case .invlpg: return .exit(VMExit(.invlpg, qualification: at.linear, length: at.length))
        case .invpcid:
            guard vmcs.has(Proc2Control.enableInvpcid) else { return undefined() }
            return vmcs.has(ProcControl.invlpgExiting) ? simple(.invpcid) : .execute
        case .rdtscp:
            guard vmcs.has(Proc2Control.enableRdtscp) else { return undefined() }
            return vmcs.has(ProcControl.rdtscExiting) ? simple(.rdtscp) : .execute
        case .taskSwitch:
            let source: UInt64 = cpu.delivering == nil ? 0 : 3
            return .exit(
                VMExit(.taskSwitch, qualification: UInt64(at.number) & 0xFFFF | source << 30, length: at.length))
        case .descriptorTable: return simple(.gdtrIdtrAccess)
        case .taskRegister: return simple(.ldtrTrAccess)
        case .vmx: return vmxReason(at).map(simple) ?? undefined()
        default: return Self.simpleReasons[point].map(simple) ?? .execute
        }
    }

    private static let simpleReasons: [InterceptPoint: VMXExitReason] = [
        .hlt: .hlt, .cpuid: .cpuid, .rdtsc: .rdtsc, .rdpmc: .rdpmc, .pause: .pause, .monitor: .monitor, .mwait: .mwait,
        .xsetbv: .xsetbv, .wbinvd: .wbinvd, .invd: .invd, .rdrand: .rdrand, .rdseed: .rdseed,
    ]

    private func simple(_ reason: VMXExitReason) -> Decision {
        .exit(VMExit(reason, length: cpu.interception.length))
    }

    private func io(_ vmcs: VMCS, _ at: Interception, isInput: Bool) -> Decision {
        let port = UInt16(truncatingIfNeeded: at.number)
        guard vmcs.exits(port: port, size: Int(at.size), vmx.memory) else { return .execute }
        let qualification = VMCS.qualification(
            port: port, size: Int(at.size), isInput: isInput, isString: at.isString, isRepeated: at.isRepeated,
            isImmediate: at.isImmediate)
        var exit = VMExit(.ioInstruction, qualification: qualification, length: at.length)
        if at.isString {
            exit.guestLinear = at.linear
            // SDM vol. 3, table 28-9: address size in bits 9:7, OUTS's segment in bits 17:15.
            let size: UInt32 = at.addressSize == 8 ? 2 : at.addressSize == 4 ? 1 : 0
            exit.instructionInfo = size << 7 | (isInput ? 0 : UInt32(at.segment) << 15)
        }
        exit.io = (
            cpu.registers[Register.rcx], cpu.registers[Register.rsi], cpu.registers[Register.rdi], cpu.rip
        )
        return .exit(exit)
    }

    private func readAPIC(_ vmcs: VMCS, _ at: Interception) -> Decision {
        guard let value = vmcs.readAPIC(msr: at.number, vmx.memory) else { return .execute }
        cpu.registers[Register.rax] = value & 0xFFFF_FFFF
        cpu.registers[Register.rdx] = value >> 32
        complete()
        return .done(.retired)
    }

    private func writeAPIC(_ vmcs: VMCS, _ at: Interception) -> Decision {
        switch vmcs.writeAPIC(msr: at.number, at.value, vmx.memory) {
        case .ordinary: return .execute
        case .generalProtection: return raise(ProcessorException.generalProtection, 0)
        case .done:
            complete()
            return .done(.retired)
        case .exit(let reason, let qualification):
            complete()
            return .exit(VMExit(reason, qualification: qualification))
        }
    }

    private func writeControlRegister(_ vmcs: VMCS, _ at: Interception) -> Decision {
        let register = Int(at.register)
        switch at.number {
        case 0:
            return write(vmcs.writeCR0(at.value, over: cpu.cr0, register: register, vmx.capabilities), 0, at.value)
        case 3: return write(vmcs.writeCR3(at.value, register: register), 3, at.value)
        case 4:
            return write(vmcs.writeCR4(at.value, over: cpu.cr4, register: register, vmx.capabilities), 4, at.value)
        case 8:
            if vmcs.has(ProcControl.cr8LoadExiting) {
                return .exit(
                    VMExit(
                        .crAccess, qualification: ControlRegisterAccess.qualification(8, .movTo, register: register),
                        length: at.length))
            }
            guard vmcs.has(ProcControl.tprShadow), at.value < 16 else { return .execute }
            let isBelow = vmcs.writeTaskPriority(at.value, vmx.memory)
            complete()
            return isBelow ? .exit(VMExit(.tprBelowThreshold)) : .done(.retired)
        default: return .execute
        }
    }

    /// A write whose merged value is the guest's own is left to the instruction, which can fault half-way.
    private func write(_ access: ControlRegisterAccess, _ number: Int, _ value: UInt64) -> Decision {
        if case .write(value) = access { return .execute }
        return finish(access, number)
    }

    private func finish(_ access: ControlRegisterAccess, _ number: Int) -> Decision {
        switch access {
        case .exit(let qualification):
            return .exit(VMExit(.crAccess, qualification: qualification, length: cpu.interception.length))
        case .write(let value):
            guard cpu.setControlRegister(number, value) else { return raise(ProcessorException.generalProtection, 0) }
            complete()
            return .done(.retired)
        case .generalProtection: return raise(ProcessorException.generalProtection, 0)
        }
    }

    private func readControlRegister(_ vmcs: VMCS, _ at: Interception) -> Decision {
        let value: UInt64
        switch at.number {
        case 0: value = vmcs.readCR0(cpu.cr0)
        case 4: value = vmcs.readCR4(cpu.cr4)
        case 3 where vmcs.has(ProcControl.cr3StoreExiting), 8 where vmcs.has(ProcControl.cr8StoreExiting):
            let qualification = ControlRegisterAccess.qualification(
                Int(at.number), .movFrom, register: Int(at.register))
            return .exit(VMExit(.crAccess, qualification: qualification, length: at.length))
        case 8 where vmcs.has(ProcControl.tprShadow): value = vmcs.readTaskPriority(vmx.memory)
        default: return .execute
        }
        cpu.registers[Int(at.register)] = cpu.is64Bit ? value : value & 0xFFFF_FFFF
        complete()
        return .done(.retired)
    }

    /// SMSW reads CR0 with the shadow's bits.
    private func storeMachineStatus(_ vmcs: VMCS) -> Decision {
        let real = cpu.cr0
        let seen = vmcs.readCR0(real)
        // Only what the instruction stores may differ: paging and write protection are the processor's while it stores.
        cpu.cr0 = seen & ~0x8001_0001 | real & 0x8001_0001
        let outcome = cpu.stepThroughIntercepts()
        cpu.cr0 = real
        return .done(outcome)
    }

    /// The instruction at RIP is done.
    private func complete() {
        let next = cpu.rip &+ UInt64(cpu.interception.length)
        cpu.rip = cpu.is64Bit ? next : next & 0xFFFF_FFFF
        cpu.interruptShadow = .none
        if cpu.flags & Flag.trap != 0 { cpu.pendingDebug |= 1 << 14 }
        cpu.flags &= ~Flag.resume
        cpu.refreshMode()
        bus.ticks &+= 1
    }

    private func undefined() -> Decision { raise(ProcessorException.undefined, nil) }

    private func raise(_ vector: UInt8, _ errorCode: UInt32?) -> Decision {
        .done(.exception(ProcessorException(vector: vector, errorCode: errorCode)))
    }

    /// VMX instructions by opcode and ModRM.
    private func vmxReason(_ at: Interception) -> VMXExitReason? {
        switch (at.number >> 8, at.number & 0xFF) {
        case (0x101, 0o01): .vmcall
        case (0x101, 0o02): .vmlaunch
        case (0x101, 0o03): .vmresume
        case (0x101, 0o04): .vmxoff
        case (0x101, 0o24): .vmfunc
        case (0x178, _): .vmread
        case (0x179, _): .vmwrite
        case (0x1C7, 0o60...0o67): .vmptrld
        case (0x1C7, 0o70...0o77): .vmptrst
        case (0x280, _): .invept
        case (0x281, _): .invvpid
        default: nil
        }
    }
}
