// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import CLikexHW
import Glibc

/// Ioctls whose argument is a count and a list: CPUID and MSRs.
extension SimulatedVCPU {
    /// struct kvm_cpuid2 and struct kvm_msrs: a 32-bit count, 32 bits of padding, the list.
    private static let header: UInt = 8

    func setCPUID(_ argument: UInt) -> Int {
        guard let count = UserMemory.read(argument, as: UInt32.self) else { return Int(-EFAULT) }
        if count > UInt32(LIKEX_MAX_CPUID) { return Int(-E2BIG) }
        let size = Int(count) * MemoryLayout<kvm_cpuid_entry2>.stride
        var table: UnsafeMutableRawPointer?
        if count > 0 {
            unsafe table = plat_alloc(machine.hw, size)
            guard let copy = unsafe table else { return Int(-ENOMEM) }
            guard unsafe UserMemory.copy(from: UInt64(argument + Self.header), to: copy, count: size) else {
                unsafe plat_free(machine.hw, copy)
                return Int(-EFAULT)
            }
        }
        let error = unsafe lkx_cpuid_set(core, table?.assumingMemoryBound(to: kvm_cpuid_entry2.self), count)
        if error != 0 { unsafe plat_free(machine.hw, table) }
        return Int(error)
    }

    func getCPUID(_ argument: UInt) -> Int {
        guard let room = UserMemory.read(argument, as: UInt32.self) else { return Int(-EFAULT) }
        let count = unsafe core.pointee.cpuid_default ? 0 : core.pointee.cpuid_count
        if room < count { return Int(-E2BIG) }
        let size = Int(count) * MemoryLayout<kvm_cpuid_entry2>.stride
        if let from = unsafe core.pointee.cpuid {
            guard unsafe UserMemory.copy(from: from, to: UInt64(argument + Self.header), count: size) else {
                return Int(-EFAULT)
            }
        }
        return UserMemory.write(count, argument) ? 0 : Int(-EFAULT)
    }

    /// How many of the list were done before the first that was refused.
    func msrs(_ argument: UInt, set: Bool) -> Int {
        guard let count = UserMemory.read(argument, as: UInt32.self) else { return Int(-EFAULT) }
        if count >= UInt32(LIKEX_MAX_MSRS) { return Int(-E2BIG) }
        for number in 0..<UInt(count) {
            let at = argument + Self.header + number * UInt(MemoryLayout<kvm_msr_entry>.stride)
            guard var entry = UserMemory.read(at, as: kvm_msr_entry.self) else { return Int(-EFAULT) }
            if set {
                if unsafe lkx_msr_set(core, entry.index, entry.data, false) { return Int(number) }
            } else {
                if unsafe lkx_msr_get(core, entry.index, &entry.data, false) { return Int(number) }
                if !UserMemory.write(entry, at) { return Int(-EFAULT) }
            }
        }
        return Int(count)
    }
}
