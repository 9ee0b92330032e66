// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CLikexHW
import VMXSim
import X86

/// The instructions that the core executes: hw.h's hooks.
extension Machine {
    static func processorHooks() -> hw_ops {
        var ops = hw_ops()
        unsafe ops.vmxon = { hw, pa in unsafe Machine.of(hw).vmx.vmxon(pa).isFailure }
        unsafe ops.vmxoff = { hw in unsafe Machine.of(hw).vmx.vmxoff().isFailure }
        unsafe ops.vmclear = { hw, pa in unsafe Machine.of(hw).vmx.vmclear(pa).isFailure }
        unsafe ops.vmptrld = { hw, pa in unsafe Machine.of(hw).vmx.vmptrld(pa).isFailure }
        unsafe ops.vmread = { hw, field in
            let (result, value) = unsafe Machine.of(hw).vmx.vmread(field)
            return result == .succeed ? value : 0
        }
        unsafe ops.vmwrite = { hw, field, value in
            let machine = unsafe Machine.of(hw)
            let result = machine.vmx.vmwrite(field, value)
            if result.isFailure {
                machine.warn(
                    "VMWRITE of 0x\(String(value, radix: 16)) to field 0x\(String(field, radix: 16)): \(result)")
            }
        }
        unsafe ops.invept = { hw, type, eptp in
            let machine = unsafe Machine.of(hw)
            if machine.vmx.invept(type, eptp: eptp).isFailure { machine.warn("INVEPT \(type) of \(eptp) failed") }
        }
        unsafe ops.invvpid = { hw, type, vpid, linear in
            let machine = unsafe Machine.of(hw)
            if machine.vmx.invvpid(type, vpid: UInt64(vpid), linear: linear).isFailure {
                machine.warn("INVVPID \(type) of \(vpid) failed")
            }
        }
        unsafe ops.enter_guest = { hw, regs, launched in
            guard let regs = unsafe regs else { return true }
            return unsafe Machine.of(hw).enterGuest(regs, launched: launched)
        }
        unsafe ops.rdmsr = { hw, index in
            let machine = unsafe Machine.of(hw)
            return machine.vmx.capabilities.msr(index) ?? machine.msrs.read(index) ?? 0
        }
        unsafe ops.wrmsr = { hw, index, value in _ = unsafe Machine.of(hw).msrs.write(index, value) }
        unsafe ops.rdtsc = { hw in unsafe Machine.of(hw).bus.readTicks() }
        unsafe ops.cpuid = { _, leaf, subleaf, out in
            let result = Model.cpuid(leaf: leaf, subleaf: subleaf)
            guard let out = unsafe out else { return }
            unsafe out[0] = result.eax
            unsafe out[1] = result.ebx
            unsafe out[2] = result.ecx
            unsafe out[3] = result.edx
        }
        unsafe ops.read_cr = { hw, number in
            let machine = unsafe Machine.of(hw)
            switch number {
            case 0: return machine.vmx.host.cr0
            case 2: return machine.cpu.cr2
            case 3: return machine.vmx.host.cr3
            default: return machine.vmx.host.cr4
            }
        }
        unsafe ops.write_cr2 = { hw, value in unsafe Machine.of(hw).cpu.cr2 = value }
        unsafe ops.xgetbv = { hw in unsafe Machine.of(hw).cpu.xcr0 }
        unsafe ops.xsetbv = { hw, value in unsafe Machine.of(hw).cpu.xcr0 = value }
        unsafe ops.load_debug_registers = { hw, dr, dr6 in
            let machine = unsafe Machine.of(hw)
            guard let dr = unsafe dr else { return }
            for number in 0..<4 { machine.cpu.debugRegisters[number] = unsafe dr[number] }
            machine.cpu.debugRegisters[6] = dr6
        }
        unsafe ops.save_dr6 = { hw in unsafe Machine.of(hw).cpu.debugRegisters[6] }
        unsafe ops.restore_host_debug_registers = { hw in
            let machine = unsafe Machine.of(hw)
            for number in 0..<4 { machine.cpu.debugRegisters[number] = 0 }
            machine.cpu.debugRegisters[6] = 0xFFFF_0FF0
        }
        unsafe ops.read_host_state = { hw, out in
            guard let out = unsafe out else { return }
            unsafe out.pointee = Machine.of(hw).hostState()
        }
        return ops
    }

    private func hostState() -> hw_host_state {
        let host = vmx.host
        var state = hw_host_state()
        (state.cr0, state.cr3, state.cr4) = (host.cr0, host.cr3, host.cr4)
        (state.fs_base, state.gs_base, state.tr_base) = (host.fsBase, host.gsBase, host.trBase)
        (state.gdtr_base, state.idtr_base) = (host.gdtrBase, host.idtrBase)
        (state.sysenter_esp, state.sysenter_eip, state.rip) = (host.sysenterESP, host.sysenterEIP, host.rip)
        (state.pat, state.efer) = (host.pat, host.efer)
        state.sysenter_cs = UInt32(truncatingIfNeeded: host.sysenterCS)
        (state.es, state.cs, state.ss, state.ds) = (host.es, host.cs, host.ss, host.ds)
        (state.fs, state.gs, state.tr) = (host.fs, host.gs, host.tr)
        return state
    }
}
