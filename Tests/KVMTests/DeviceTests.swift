// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import KVMABI
import Testing

@Suite("Handles on this machine's /dev/kvm", .enabled(if: HostDevice.isUsable, HostDevice.skipped), .serialized)
struct DeviceTests {
    /// A VM with a page at 0, and a vCPU in real mode at 0 that runs `program`.
    private func run<Result>(
        _ program: [UInt8], _ body: (inout VCPU) throws -> Result
    ) throws -> Result {
        let system = try System(path: HostDevice.path)
        var vm = try system.makeVirtualMachine()
        let slot = try MemorySlot(slot: 0, base: GuestAddress(0), count: 0x1000)
        #expect(slot.write(program, at: GuestAddress(0)))
        try vm.add(slot)
        var vcpu = try vm.makeVCPU()
        var special = try vcpu.specialRegisters()
        special.cs.base = 0
        special.cs.selector = 0
        try vcpu.setSpecialRegisters(special)
        var registers = kvm_regs()
        registers.rflags = 2
        try vcpu.setRegisters(registers)
        return try body(&vcpu)
    }

    @Test func capabilities() throws {
        let system = try System(path: HostDevice.path)
        #expect(try system.check(.userMemory) > 0)
        #expect(try system.check(.nrMemslots) > 0)
        #expect(try system.runPageSize() >= 4096)
    }

    @Test("CPUID and MSR lists are not empty, and CPUID comes back as it was set")
    func lists() throws {
        let system = try System(path: HostDevice.path)
        let supported = try system.supportedCPUID()
        #expect(supported[0, 0] != nil)
        #expect(try system.msrIndices().isEmpty == false)
        try run([0xf4]) { vcpu in
            try vcpu.setCPUID(supported)
            let set = try vcpu.cpuid()
            #expect(set.entries.count == supported.entries.count)
        }
    }

    @Test("registers come back as they were set")
    func registers() throws {
        try run([0xf4]) { vcpu in
            var registers = try vcpu.registers()
            registers.rax = 0x1234_5678_9abc_def0
            registers.r15 = 42
            try vcpu.setRegisters(registers)
            let found = try vcpu.registers()
            #expect(found.rax == 0x1234_5678_9abc_def0)
            #expect(found.r15 == 42)
        }
    }

    @Test("an OUT comes with its port, size and data, then HLT")
    func output() throws {
        // mov $0x41, %al; out %al, $0x10; hlt
        try run([0xb0, 0x41, 0xe6, 0x10, 0xf4]) { vcpu in
            let first = try vcpu.run()
            #expect(first.result == .exit)
            guard case .io(let io) = vcpu.runPage.exit else {
                Issue.record("\(vcpu.runPage.exit) in place of I/O")
                return
            }
            #expect(io.direction == .output)
            #expect(io.port == 0x10)
            #expect((io.size, io.count) == (1, 1))
            let output = try vcpu.runPage.output(io)
            #expect(output == [0x41])
            let second = try vcpu.run()
            #expect(second.ticks > 0)
            #expect(vcpu.runPage.exit == .hlt)
        }
    }

    @Test("an IN gets the answer")
    func input() throws {
        // in $0x10, %al; hlt
        try run([0xe4, 0x10, 0xf4]) { vcpu in
            _ = try vcpu.run()
            guard case .io(let io) = vcpu.runPage.exit else {
                Issue.record("\(vcpu.runPage.exit) in place of I/O")
                return
            }
            try vcpu.runPage.answer(io, [0x5a])
            _ = try vcpu.run()
            let rax = try vcpu.registers().rax
            #expect(rax & 0xff == 0x5a)
        }
    }

    @Test("immediate_exit comes back as interrupted, without running the guest")
    func immediateExit() throws {
        try run([0xf4]) { vcpu in
            vcpu.runPage.setImmediateExit(true)
            let ended = try vcpu.run()
            #expect(ended.result == .interrupted)
            let rip = try vcpu.registers().rip
            #expect(rip == 0)
        }
    }

    @Test("the kick ends a guest that loops for ever", .timeLimit(.minutes(1)))
    func kick() throws {
        // jmp .
        try run([0xeb, 0xfe]) { vcpu in
            try vcpu.armKick(milliseconds: 50)
            let start = Host.nanoseconds
            let ended = try vcpu.run()
            #expect(ended.result == .interrupted)
            #expect(Host.nanoseconds - start >= 40_000_000)
            let flag = vcpu.runPage.immediateExit
            #expect(flag)
            vcpu.disarmKick()
        }
    }

    @Test("what the device refuses is an error with the ioctl's name")
    func refused() throws {
        let system = try System(path: HostDevice.path)
        var vm = try system.makeVirtualMachine()
        let slot = try MemorySlot(slot: 0, base: GuestAddress(0x123), count: 0x1000)
        var found: KVMError?
        do throws(KVMError) { try vm.add(slot) } catch { found = error }
        #expect(found?.operation == "KVM_SET_USER_MEMORY_REGION")
        #expect(found?.errno == .invalidArgument)
        #expect(vm.slots.isEmpty)
    }
}
