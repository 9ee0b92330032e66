// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import Emulation
import Glibc
import KVMABI

/// State beyond registers, as kmod/linux/vcpu_state.c has it.
extension SimulatedVCPU {
    func stateIoctl(_ ioctl: Ioctl, _ argument: UInt) -> Int {
        switch ioctl {
        case .getVcpuEvents: get(argument, kvm_vcpu_events()) { unsafe lkx_get_vcpu_events(core, &$0) }
        case .setVcpuEvents: set(argument, as: kvm_vcpu_events.self) { unsafe lkx_set_vcpu_events(core, &$0) }
        case .getDebugregs: get(argument, kvm_debugregs()) { unsafe lkx_get_debugregs(core, &$0) }
        case .setDebugregs: set(argument, as: kvm_debugregs.self) { unsafe lkx_set_debugregs(core, &$0) }
        // The interpreter has no XSAVE.
        case .getXcrs, .setXcrs: Int(-EINVAL)
        case .getSregs2: get(argument, kvm_sregs2()) { unsafe lkx_get_sregs2(core, &$0) }
        case .setSregs2: set(argument, as: kvm_sregs2.self) { unsafe lkx_set_sregs2(core, &$0) }
        case .getXsave, .getXsave2: getXSave(argument)
        case .setXsave: setXSave(argument)
        case .getLapic:
            unsafe core.pointee.lapic == nil
                ? Int(-EINVAL) : get(argument, kvm_lapic_state()) { unsafe lkx_lapic_get(core, &$0) }
        case .setLapic:
            unsafe core.pointee.lapic == nil
                ? Int(-EINVAL) : set(argument, as: kvm_lapic_state.self) { unsafe lkx_lapic_set(core, &$0) }
        case .setGuestDebug: set(argument, as: kvm_guest_debug.self) { unsafe lkx_set_guest_debug(core, &$0) }
        default: Int(-ENOTTY)
        }
    }

    private func getXSave(_ argument: UInt) -> Int {
        let image = vectors.xsave
        return unsafe UserMemory.copy(from: image, to: UInt64(argument), count: image.count) ? 0 : Int(-EFAULT)
    }

    private func setXSave(_ argument: UInt) -> Int {
        var image = [UInt8](repeating: 0, count: MemoryLayout<kvm_xsave>.size)
        guard unsafe UserMemory.copy(from: UInt64(argument), to: &image, count: image.count) else { return Int(-EFAULT) }
        let error = unsafe image.withUnsafeBytes { bytes in
            unsafe lkx_xsave_check(machine.hw, bytes.baseAddress?.assumingMemoryBound(to: kvm_xsave.self))
        }
        if error == 0 { vectors.load(xsave: image) }
        return Int(error)
    }
}
