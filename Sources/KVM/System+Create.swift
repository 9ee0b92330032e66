// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVMABI

extension System {
    /// Whether `makeMachine` is one call. KVM_CHECK_EXTENSION
    public func makesMachinesAtOnce() throws(KVMError) -> Bool { try check(.likexCapCreate) > 0 }

    /// Makes a VM, its memory and its first vCPU: by one call where the device has that, by KVM's own ioctls elsewhere, and where there are
    /// more slots than the call takes. LIKEX_CREATE
    public func makeMachine(
        memory: [MemorySlot], start: VCPUStart = VCPUStart(), personality: Personality = .kvm
    ) throws(KVMError) -> NewMachine {
        guard memory.count <= Int(LIKEX_CREATE_MEMSLOTS) else { return try stepByStep(memory, start, personality) }
        let created: likex_created
        do throws(KVMError) {
            created = try create(memory, start)
        } catch {
            // Who doesn't know the call answers ENOTTY, or EINVAL as stock KVM does.
            guard [.notATypewriter, .invalidArgument].contains(error.errno), try !makesMachinesAtOnce() else {
                throw error
            }
            return try stepByStep(memory, start, personality)
        }
        let vmFile = file.adopt(Int(created.vm_fd))
        let vcpuFile = file.adopt(Int(created.vcpu_fd))
        let size = Int(created.run_size)
        switch personality {
        case .kvm:
            let vm = VirtualMachine(
                file: vmFile, kept: nil, personality: personality, runPageSize: size, slots: memory)
            let vcpu = try VCPU(id: start.id, file: vcpuFile, kept: nil, runPageSize: size)
            return NewMachine(vm: vm, vcpu: vcpu)
        case .oneFile:
            let vm = VirtualMachine(
                file: try file.duplicate(), kept: vmFile, personality: personality, runPageSize: size, slots: memory)
            let vcpu = try VCPU(id: start.id, file: try file.duplicate(), kept: vcpuFile, runPageSize: size)
            return NewMachine(vm: vm, vcpu: vcpu)
        }
    }

    private func create(_ memory: [MemorySlot], _ start: VCPUStart) throws(KVMError) -> likex_created {
        var create = likex_create()
        create.size = UInt32(MemoryLayout<likex_create>.size)
        create.vcpu_id = start.id
        create.memslots = UInt32(memory.count)
        unsafe withUnsafeMutableBytes(of: &create.memslot) { bytes in
            for (index, slot) in memory.enumerated() {
                unsafe bytes.storeBytes(
                    of: slot.region, toByteOffset: index * MemoryLayout<kvm_userspace_memory_region>.stride,
                    as: kvm_userspace_memory_region.self)
            }
        }
        if let registers = start.registers {
            create.flags |= UInt32(LIKEX_CREATE_REGS)
            create.regs = registers
        }
        if let registers = start.specialRegisters {
            create.flags |= UInt32(LIKEX_CREATE_SREGS)
            create.sregs = registers
        }
        guard let cpuid = start.cpuid else {
            try file.call(.likexCreate, &create)
            return create.created
        }
        let result = unsafe cpuid.bytes.withUnsafeBytes { table in
            create.cpuid = UInt64(UInt(bitPattern: table.baseAddress))
            return unsafe withUnsafeMutablePointer(to: &create) {
                file.kernel.ioctl(file.descriptor, Ioctl.likexCreate.request, UInt(bitPattern: $0))
            }
        }
        if case .failure(let errno) = result { throw KVMError(.likexCreate, errno) }
        return create.created
    }

    private func stepByStep(
        _ memory: [MemorySlot], _ start: VCPUStart, _ personality: Personality
    ) throws(KVMError) -> NewMachine {
        var vm = try makeVirtualMachine(personality)
        for slot in memory { try vm.add(slot) }
        let vcpu = try vm.makeVCPU(id: start.id)
        if let cpuid = start.cpuid { try vcpu.setCPUID(cpuid) }
        if let registers = start.specialRegisters { try vcpu.setSpecialRegisters(registers) }
        if let registers = start.registers { try vcpu.setRegisters(registers) }
        return NewMachine(vm: vm, vcpu: vcpu)
    }
}
