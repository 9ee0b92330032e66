// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import KVMABI
import Testing

@testable import Simulator

/// MSRs that user space answers, and filters of them.
@Suite struct MSRTests {
    /// ecx: 0x1234; rdmsr; hlt; wrmsr; hlt.
    private static let code: [UInt8] = [0x66, 0xB9, 0x34, 0x12, 0, 0, 0x0F, 0x32, 0xF4, 0x0F, 0x30, 0xF4]

    @Test func userSpaceAnswers() throws {
        let system = try System(path: SimulatedKernel.path, in: try SimulatedKernel())
        var vm = try system.makeVirtualMachine(.kvm)
        try vm.enable(.x86UserSpaceMsr, 7)
        let slot = try MemorySlot(slot: 0, base: GuestAddress(0), count: 0x1000)
        #expect(slot.write(Self.code, at: GuestAddress(0)))
        try vm.add(slot)
        let vcpu = try vm.makeVCPU()
        var special = try vcpu.specialRegisters()
        special.cs.base = 0
        special.cs.selector = 0
        try vcpu.setSpecialRegisters(special)
        var registers = kvm_regs()
        registers.rflags = 2
        try vcpu.setRegisters(registers)

        _ = try vcpu.timedRun()
        #expect(vcpu.runPage.exit == .readMSR(MSRAccess(index: 0x1234, reason: .unknown, written: nil)))
        vcpu.runPage.answerMSR(0x11_2233_4455)
        _ = try vcpu.timedRun()
        #expect(vcpu.runPage.exit == .hlt)
        registers = try vcpu.registers()
        #expect(registers.rax == 0x2233_4455 && registers.rdx == 0x11)
        _ = try vcpu.timedRun()
        #expect(vcpu.runPage.exit == .writeMSR(MSRAccess(index: 0x1234, reason: .unknown, written: 0x11_2233_4455)))
        // #GP finds no handler but what is at 0.
        vcpu.runPage.refuseMSR()
        _ = try vcpu.timedRun()
        registers = try vcpu.registers()
        #expect(vcpu.runPage.exit != .hlt || registers.rip != 12)
    }

    @Test func aFilter() throws {
        let device = try RawDevice()
        device.region(0, 0, 0x1000, device.allocate(0x1000, [0x0F, 0x32, 0xF4]))
        var capability = kvm_enable_cap()
        capability.cap = Capability.x86UserSpaceMsr.number
        capability.args.0 = 4
        #expect(device.call(device.vm, .enableCap, &capability) == .success(0))
        let bitmap = device.allocate(0x1000)
        var filter = kvm_msr_filter()
        unsafe filter.ranges.0 = kvm_msr_filter_range(
            flags: 1, nmsrs: 64, base: 0xC000_0100, bitmap: UnsafeMutablePointer(bitPattern: UInt(bitmap)))
        #expect(device.call(device.vm, .x86SetMsrFilter, &filter) == .success(0))
        filter.flags = 4
        #expect(device.call(device.vm, .x86SetMsrFilter, &filter) == .failure(.invalidArgument))
        #expect(device.call(device.vm, .x86SetMsrFilter, 0) == .failure(.badAddress))
        // FS_BASE, which the processor reads by itself where nobody denies it.
        for denied in [true, false] {
            try device.start(at: 0)
            var registers = kvm_regs()
            registers.rcx = 0xC000_0100
            registers.rflags = 2
            _ = try device.call(device.vcpu, .setRegs, &registers).get()
            #expect(device.run() == .success(0))
            #expect(device.exitReason == (denied ? KVMExit.x86Rdmsr : .hlt).number)
            filter = kvm_msr_filter()
            #expect(device.call(device.vm, .x86SetMsrFilter, &filter) == .success(0))
        }
    }
}
