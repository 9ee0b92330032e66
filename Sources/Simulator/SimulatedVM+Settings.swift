// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import CLikexHW
import Glibc

/// The VM's clock, and what of it can be turned on.
extension SimulatedVM {
    /// KVM_GET_CLOCK
    func getClock(_ argument: UInt) -> Int {
        var data = kvm_clock_data()
        withSettings {
            var now = Self.clocks(machine)
            unsafe lkx_clock_get(core, &now, &data)
        }
        return UserMemory.write(data, argument) ? 0 : Int(-EFAULT)
    }

    /// KVM_SET_CLOCK
    func setClock(_ argument: UInt) -> Int {
        guard var data = UserMemory.read(argument, as: kvm_clock_data.self) else { return Int(-EFAULT) }
        return withSettings {
            var now = Self.clocks(machine)
            return Int(unsafe lkx_clock_set(core, &now, &data))
        }
    }

    /// KVM_ENABLE_CAP
    func enableCapability(_ argument: UInt) -> Int {
        guard var capability = UserMemory.read(argument, as: kvm_enable_cap.self) else { return Int(-EFAULT) }
        return withSettings { Int(unsafe lkx_vm_enable_cap(core, &capability)) }
    }

    /// KVM_X86_SET_MSR_FILTER
    func setMSRFilter(_ argument: UInt) -> Int {
        guard var arguments = UserMemory.read(argument, as: kvm_msr_filter.self) else { return Int(-EFAULT) }
        var filter: UnsafeMutablePointer<lkx_msr_filter>?
        let refused = unsafe lkx_msr_filter_make(machine.hw, &arguments, &filter)
        if refused != 0 { return Int(refused) }
        let error = withSettings { unsafe lkx_msr_filter_replace(core, filter) }
        if error != 0 { unsafe plat_free(machine.hw, filter) }
        return Int(error)
    }

    /// The host's clocks: this system's, and the simulated processor's.
    static func clocks(_ machine: Machine) -> lkx_host_clocks {
        lkx_host_clocks(
            boot: nanoseconds(CLOCK_BOOTTIME), real: nanoseconds(CLOCK_REALTIME), tsc: machine.bus.ticks, epoch: 0,
            tsc_stable: true)
    }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
