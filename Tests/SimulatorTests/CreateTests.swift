// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexHW
import Glibc
import KVM
import KVMABI
import Testing

@testable import Simulator

/// LIKEX_CREATE: what it makes, and that nothing is left of what it doesn't.
@Suite struct CreateTests {
    private let kernel: SimulatedKernel
    private let system: Int32
    private let memory: MemorySlot

    init() throws {
        kernel = try SimulatedKernel()
        system = try kernel.open(SimulatedKernel.path).get()
        memory = try MemorySlot(slot: 0, base: GuestAddress(0), count: 0x4000)
    }

    private func create() -> likex_create {
        var create = likex_create()
        create.size = UInt32(MemoryLayout<likex_create>.size)
        create.memslots = 1
        create.memslot.0 = kvm_userspace_memory_region(
            slot: 0, flags: 0, guest_phys_addr: 0, memory_size: 0x4000, userspace_addr: memory.host.rawValue)
        create.created = likex_created(vm_fd: -7, vcpu_fd: -8, run_size: 9, reserved: 10)
        return create
    }

    private func call(_ create: inout likex_create) -> Result<Int, Errno> {
        unsafe withUnsafeMutablePointer(to: &create) {
            kernel.ioctl(system, Ioctl.likexCreate.request, UInt(bitPattern: $0))
        }
    }

    /// What the call answers to a struct with a change; nothing is left, and the answer not written, when it fails.
    private func result(_ change: (inout likex_create) -> Void) -> Errno? {
        var create = create()
        change(&create)
        switch call(&create) {
        case .success:
            for file in [create.created.vcpu_fd, create.created.vm_fd] { kernel.close(file) }
            return nil
        case .failure(let errno):
            #expect(create.created.vm_fd == -7 && create.created.vcpu_fd == -8)
            #expect(kernel.held == 0 && kernel.vms.isEmpty)
            return errno
        }
    }

    @Test("its extension says how many slots it takes")
    func extensionNumber() throws {
        #expect(
            kernel.ioctl(system, Ioctl.checkExtension.request, UInt(Capability.likexCapCreate.number))
                == .success(Int(LIKEX_CREATE_MEMSLOTS)))
        // No number of KVM's can be one of LiKeX's.
        #expect(Ioctl.allCases.allSatisfy { $0.request >> 8 & 0xff == ($0 == .likexCreate ? 0xd7 : 0xae) })
        #expect(Capability.allCases.allSatisfy { $0 == .likexCapCreate || $0.number < 0x1_0000 })
    }

    @Test("a VM with memory, registers and CPUID runs at once, by either personality's files")
    func whole() throws {
        // mov $0x1234, %ax; cpuid; hlt
        #expect(memory.write([0xb8, 0x34, 0x12, 0x0f, 0xa2, 0xf4], at: GuestAddress(0x1000)))
        for personality in [Personality.kvm, .oneFile] {
            let device = try System(path: SimulatedKernel.path, in: kernel)
            let plain = try device.makeMachine(memory: [memory])
            var special = try plain.vcpu.specialRegisters()
            special.cs.base = 0
            special.cs.selector = 0
            var registers = kvm_regs()
            registers.rip = 0x1000
            registers.rflags = 2
            registers.rbx = 77
            let cpuid = CPUIDTable(entries: [
                kvm_cpuid_entry2(
                    function: 0x1234, index: 0, flags: 0, eax: 1, ebx: 2, ecx: 3, edx: 4, padding: (0, 0, 0))
            ])
            let machine = try device.makeMachine(
                memory: [memory], start: VCPUStart(cpuid: cpuid, specialRegisters: special, registers: registers),
                personality: personality)
            #expect(try machine.vcpu.run().result == .exit)
            #expect(machine.vcpu.runPage.exit == .hlt)
            let after = try machine.vcpu.registers()
            #expect(after.rip == 0x1006 && after.rax == 1 && after.rbx == 2 && after.rdx == 4)
            #expect(try machine.vcpu.cpuid().entries.count == 1)
            #expect(machine.vm.slots.count == 1)
        }
        kernel.close(system)
        #expect(kernel.held == 0 && kernel.warnings.isEmpty)
    }

    @Test("without registers the vCPU is as KVM_CREATE_VCPU makes it")
    func reset() throws {
        let device = try System(path: SimulatedKernel.path, in: kernel)
        let machine = try device.makeMachine(memory: [], start: VCPUStart(id: 3))
        var vm = try device.makeVirtualMachine()
        try vm.add(memory)
        let vcpu = try vm.makeVCPU(id: 3)
        let (one, other) = (try machine.vcpu.specialRegisters(), try vcpu.specialRegisters())
        #expect(unsafe withUnsafeBytes(of: one, Array.init) == withUnsafeBytes(of: other, Array.init))
        let (left, right) = (try machine.vcpu.registers(), try vcpu.registers())
        #expect(unsafe withUnsafeBytes(of: left, Array.init) == withUnsafeBytes(of: right, Array.init))
    }

    @Test("what isn't named isn't looked at, and more slots than the call takes go KVM's way")
    func slots() throws {
        #expect(result { $0.regs.rip = 1; $0.sregs.cr0 = ~0; $0.memslot.1.guest_phys_addr = 1 } == nil)
        let device = try System(path: SimulatedKernel.path, in: kernel)
        let many = try (0...UInt32(LIKEX_CREATE_MEMSLOTS)).map { number in
            try MemorySlot(slot: number, base: GuestAddress(UInt64(number) << 16), count: 0x1000)
        }
        #expect(try device.makeMachine(memory: Array(many.dropLast())).vm.slots.count == 8)
        #expect(try device.makeMachine(memory: many).vm.slots.count == 9)
    }

    @Test("each part's error is its own ioctl's")
    func refused() {
        #expect(result { _ in } == nil)
        #expect(result { $0.size -= 1 } == .invalidArgument)
        #expect(result { $0.size = 4097 } == .listTooBig)
        #expect(result { $0.flags = 4 } == .invalidArgument)
        #expect(result { $0.memslots = UInt32(LIKEX_CREATE_MEMSLOTS) + 1 } == .invalidArgument)
        #expect(result { $0.reserved.3 = 1 } == .invalidArgument)
        #expect(result { $0.vcpu_id = 64 } == .invalidArgument)
        #expect(result { $0.memslot.0.flags = 0x80 } == .invalidArgument)
        #expect(result { $0.memslot.0.memory_size = 0 } == .invalidArgument)
        #expect(
            result {
                $0.memslots = 2
                $0.memslot.1 = $0.memslot.0
                $0.memslot.1.slot = 1
            } == .exists)
        #expect(result { $0.cpuid = 1 << 46 } == .badAddress)
        #expect(result { $0.flags = 2; $0.sregs.cr0 = 1 << 31 } == .invalidArgument)
        #expect(kernel.ioctl(system, Ioctl.likexCreate.request, 0) == .failure(.badAddress))
        #expect(kernel.ioctl(system, Ioctl.likexCreate.request, .max - 7) == .failure(.badAddress))
    }

    @Test("a larger struct is taken when what this module doesn't know of it is 0")
    func larger() {
        let size = MemoryLayout<likex_create>.size
        var bytes = [UInt8](repeating: 0, count: size + 16)
        func call() -> Result<Int, Errno> {
            unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe buffer.storeBytes(of: UInt32(size + 16), as: UInt32.self)
                return kernel.ioctl(system, Ioctl.likexCreate.request, UInt(bitPattern: buffer.baseAddress))
            }
        }
        bytes[size + 15] = 1
        #expect(call() == .failure(.listTooBig))
        #expect(kernel.held == 0)
        bytes[size + 15] = 0
        #expect(call() == .success(0))
    }

    @Test("an answer that can't be written leaves no files")
    func readOnly() throws {
        var create = create()
        let page = try MemorySlot(slot: 9, base: GuestAddress(0), count: 4096)
        let bytes = unsafe withUnsafeBytes(of: &create) { unsafe [UInt8]($0) }
        #expect(page.write(bytes, at: GuestAddress(0)))
        let address = unsafe UnsafeMutableRawPointer(bitPattern: UInt(page.host.rawValue))
        let isProtected = unsafe mprotect(address, 4096, PROT_READ) == 0
        #expect(isProtected)
        #expect(kernel.ioctl(system, Ioctl.likexCreate.request, UInt(page.host.rawValue)) == .failure(.badAddress))
        #expect(kernel.held == 0 && kernel.vms.isEmpty)
    }

    @Test("memory that runs out at any point leaves nothing")
    func outOfMemory() {
        var allowed: Int64 = 0
        while true {
            unsafe kernel.machine.hw.pointee.allocations_left = allowed
            let errno = result { _ in }
            unsafe kernel.machine.hw.pointee.allocations_left = -1
            guard let errno else { break }
            #expect(errno == .noMemory)
            allowed += 1
            if allowed > 100 { break }
        }
        // The root of the page tables, slots, VMCS, CPUID.
        #expect(allowed == 4)
        #expect(kernel.held == 0 && kernel.warnings.isEmpty)
    }
}
