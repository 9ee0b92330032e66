// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import CLikexHW
import Emulation
import Glibc
import KVMABI
import Synchronization
import X86

/// A vCPU's ioctls, as kmod/linux/vcpu_ioctl.c has them.
extension SimulatedVCPU {
    /// A value, or -errno.
    func ioctl(_ ioctl: Ioctl, _ argument: UInt) -> Int {
        machine.lock.withLock {
            load()
            defer { put() }
            return loaded(ioctl, argument)
        }
    }

    private func loaded(_ ioctl: Ioctl, _ argument: UInt) -> Int {
        switch ioctl {
        case .run: run(argument)
        case .getRegs: get(argument, kvm_regs()) { unsafe lkx_get_regs(core, &$0) }
        case .setRegs:
            set(argument, as: kvm_regs.self) {
                unsafe lkx_set_regs(core, &$0)
                return 0
            }
        case .getSregs: get(argument, kvm_sregs()) { unsafe lkx_get_sregs(core, &$0) }
        case .setSregs: set(argument, as: kvm_sregs.self) { unsafe lkx_set_sregs(core, &$0) }
        case .getFpu: get(argument, kvm_fpu()) { $0 = vectors.kvm }
        case .setFpu:
            set(argument, as: kvm_fpu.self) {
                vectors.load($0)
                return 0
            }
        case .getCpuid2: getCPUID(argument)
        case .setCpuid2: setCPUID(argument)
        case .getMsrs: msrs(argument, set: false)
        case .setMsrs: msrs(argument, set: true)
        case .interrupt: interrupt(argument)
        case .nmi: nmi()
        case .translate: translate(argument)
        case .preFaultMemory: preFault(argument)
        case .getMpState:
            get(argument, kvm_mp_state()) { unsafe lkx_get_mp_state(core, &$0) }
        case .setMpState: set(argument, as: kvm_mp_state.self) { unsafe lkx_set_mp_state(core, &$0) }
        case .getTscKhz: Int(unsafe core.pointee.tsc_khz)
        case .setTscKhz: setFrequency(argument)
        case .kvmclockCtrl: Int(unsafe lkx_pv_clock_paused(core))
        default: stateIoctl(ioctl, argument)
        }
    }

    private func run(_ argument: UInt) -> Int {
        let page = unsafe pages.run
        // KVM_CAP_SYNC_REGS is not offered.
        guard argument == 0, unsafe page.pointee.kvm_valid_regs == 0, unsafe page.pointee.kvm_dirty_regs == 0
        else { return Int(-EINVAL) }
        machine.cpu.vectors = vectors
        let result = unsafe lkx_vcpu_run(core)
        vectors = machine.cpu.vectors
        unsafe lkx_fill_run_page(core)
        return Int(result)
    }

    func get<Value: BitwiseCopyable>(_ argument: UInt, _ empty: Value, _ fill: (inout Value) -> Void) -> Int {
        var value = empty
        fill(&value)
        return UserMemory.write(value, argument) ? 0 : Int(-EFAULT)
    }

    func set<Value: BitwiseCopyable>(
        _ argument: UInt, as type: Value.Type, _ use: (inout Value) -> Int32
    ) -> Int {
        guard var value = UserMemory.read(argument, as: type) else { return Int(-EFAULT) }
        return Int(use(&value))
    }

    private func interrupt(_ argument: UInt) -> Int {
        set(argument, as: kvm_interrupt.self) { interrupt in
            if interrupt.irq > 255 { return -EINVAL }
            if unsafe core.pointee.lapic != nil { return unsafe lkx_lapic_extint(core, UInt8(interrupt.irq)) }
            unsafe lkx_queue_interrupt(core, UInt8(interrupt.irq))
            return 0
        }
    }

    private func nmi() -> Int {
        unsafe lkx_queue_nmi(core)
        return 0
    }

    private func translate(_ argument: UInt) -> Int {
        guard var translation = UserMemory.read(argument, as: kvm_translation.self) else { return Int(-EFAULT) }
        unsafe lkx_translate(core, &translation)
        return UserMemory.write(translation, argument) ? 0 : Int(-EFAULT)
    }

    /// What is left of the range goes back, whatever came of it.
    private func preFault(_ argument: UInt) -> Int {
        guard var range = UserMemory.read(argument, as: kvm_pre_fault_memory.self) else { return Int(-EFAULT) }
        let result = Int(unsafe lkx_pre_fault(core, &range))
        return UserMemory.write(range, argument) ? result : Int(-EFAULT)
    }

    private func setFrequency(_ argument: UInt) -> Int {
        let khz = argument == 0 ? Model.kilohertz : UInt32(truncatingIfNeeded: argument)
        return unsafe lkx_tsc_set_khz(core, khz) ? 0 : Int(-EINVAL)
    }
}
