// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import Glibc

/// LIKEX_CREATE up to where files come in. Results are as the kernel's: what was made, or -errno and nothing left.
enum SimulatedCreation {
    static func make(_ argument: UInt, _ machine: Machine) -> (made: (vm: SimulatedVM, vcpu: SimulatedVCPU)?, error: Int) {
        let (read, error) = copyIn(argument)
        guard let create = read else { return (nil, error) }
        guard let vm = SimulatedVM(machine) else { return (nil, Int(-ENOMEM)) }
        for region in regions(create) {
            let error = vm.set(region)
            if error != 0 { return (nil, error) }
        }
        let (vcpu, refused) = vm.makeVCPU(UInt(create.vcpu_id)) { vcpu in
            if create.cpuid != 0 {
                let error = vcpu.setCPUID(UInt(create.cpuid))
                if error != 0 { return error }
            }
            var create = create
            return Int(unsafe lkx_create_registers(vcpu.core, &create))
        }
        guard let vcpu else { return (nil, refused) }
        return ((vm, vcpu), 0)
    }

    /// Where user space looks for what was made; false for -EFAULT.
    static func answer(_ created: likex_created, _ argument: UInt) -> Bool {
        UserMemory.write(created, argument + UInt(MemoryLayout<likex_create>.offset(of: \.created) ?? 0))
    }

    /// The struct, checked; what is behind it must be zeroes.
    private static func copyIn(_ argument: UInt) -> (create: likex_create?, error: Int) {
        guard let size = UserMemory.read(argument, as: UInt32.self) else { return (nil, Int(-EFAULT)) }
        let refused = lkx_create_check_size(size)
        if refused != 0 { return (nil, Int(refused)) }
        let known = MemoryLayout<likex_create>.size
        for offset in known..<max(Int(size), known) {
            guard let byte = UserMemory.read(argument + UInt(offset), as: UInt8.self) else { return (nil, Int(-EFAULT)) }
            if byte != 0 { return (nil, Int(-E2BIG)) }
        }
        guard var create = UserMemory.read(argument, as: likex_create.self) else { return (nil, Int(-EFAULT)) }
        let error = unsafe lkx_create_check(&create)
        return error == 0 ? (create, 0) : (nil, Int(error))
    }

    private static func regions(_ create: likex_create) -> [kvm_userspace_memory_region] {
        unsafe withUnsafeBytes(of: create.memslot) { bytes in
            (0..<Int(create.memslots)).map { index in
                unsafe bytes.load(
                    fromByteOffset: index * MemoryLayout<kvm_userspace_memory_region>.stride,
                    as: kvm_userspace_memory_region.self)
            }
        }
    }
}
