// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import KVMABI
import TestMachine
import Testing
import VMXSim
import X86

@testable import Simulator

@Suite struct RunTests {
    @Test func aGuestThatNeverExitsIsInterrupted() throws {
        let kernel = try SimulatedKernel()
        let system = try System(path: SimulatedKernel.path, in: kernel)
        var guest = Guest(name: "spin")
        guest.timeout = 0.2
        guest.load = GuestAddress(0x1000)
        guest.entry = GuestAddress(0x1000)
        var machine = try TestMachine.Machine(
            guest, image: [0xEB, 0xFE], on: system, cpuid: try system.supportedCPUID())
        #expect(try machine.run().end == .timeout)
    }

    @Test func aStateThatNoProcessorTakesFailsTheEntry() throws {
        let device = try RawDevice()
        device.region(0, 0, 0x1000, device.allocate(0x1000, [0xF4]))
        try device.start(at: 0)
        var special = kvm_sregs()
        _ = try device.call(device.vcpu, .getSregs, &special).get()
        special.tr.type = 9
        _ = try device.call(device.vcpu, .setSregs, &special).get()
        #expect(device.run() == .success(0))
        #expect(device.exitReason == KVMExit.failEntry.number)
        #expect(device.failure == 0x8000_0021)
        #expect(device.kernel.machine.vmx.refusals.map(\.check) == [.guestSegmentType])
        // What was wrong can be put right.
        special.tr.type = 11
        _ = try device.call(device.vcpu, .setSregs, &special).get()
        #expect(device.run() == .success(0))
        #expect(device.exitReason == KVMExit.hlt.number)
    }

    @Test func immediateExitRunsNothing() throws {
        let device = try RawDevice()
        device.region(0, 0, 0x1000, device.allocate(0x1000, [0xF4]))
        try device.start(at: 0)
        let run = unsafe device.page.assumingMemoryBound(to: kvm_run.self)
        unsafe run.pointee.immediate_exit = 1
        #expect(device.run() == .failure(.interrupted))
        unsafe run.pointee.immediate_exit = 0
        #expect(device.run() == .success(0))
        #expect(device.exitReason == KVMExit.hlt.number)
    }

    @Test func vCPUsOfOneVMHaveTheirOwnStateAndVPID() throws {
        let device = try RawDevice()
        let second = Int32(try device.call(device.vm, .createVcpu, 5).get())
        defer { device.kernel.close(second) }
        // inc %ax; hlt; jmp back
        device.region(0, 0, 0x1000, device.allocate(0x1000, [0x40, 0xF4, 0xEB, 0xFC]))
        try device.start(at: 0)
        try device.start(at: 0, of: second)
        for _ in 0..<3 {
            #expect(device.run() == .success(0))
            #expect(device.call(second, .run) == .success(0))
            #expect(device.call(second, .run) == .success(0))
        }
        var (one, two) = (kvm_regs(), kvm_regs())
        _ = try device.call(device.vcpu, .getRegs, &one).get()
        _ = try device.call(second, .getRegs, &two).get()
        #expect(one.rax == 3)
        #expect(two.rax == 6)
        #expect(device.kernel.warnings == [])
    }

    @Test func aVCPUThatSpinsLetsAnotherThreadsRun() async throws {
        let device = try RawDevice()
        let second = Int32(try device.call(device.vm, .createVcpu, 1).get())
        defer { device.kernel.close(second) }
        // At 0: inc %cx; cmpb $0, 0x800; je back; hlt. At 0x100: movb $1, 0x800; hlt.
        var code: [UInt8] = [0x41, 0x80, 0x3E, 0x00, 0x08, 0x00, 0x74, 0xF8, 0xF4]
        code += [UInt8](repeating: 0x90, count: 0x100 - code.count)
        code += [0xC6, 0x06, 0x00, 0x08, 0x01, 0xF4]
        device.region(0, 0, 0x1000, device.allocate(0x1000, code))
        try device.start(at: 0)
        try device.start(at: 0x100, of: second)
        async let spins = onThread { device.run() }
        while unsafe device.kernel.machine.running == nil { await Task.yield() }
        #expect(device.call(second, .run) == .success(0))
        #expect(await spins == .success(0))
        #expect(device.exitReason == KVMExit.hlt.number)
        #expect(device.kernel.warnings == [])
    }

    @Test func twoRunsAreTheSameToTheLastTick() throws {
        func ticks() throws -> UInt64 {
            let system = try System(path: SimulatedKernel.path, in: try SimulatedKernel())
            var machine = try TestMachine.Machine(
                Guest.likex, image: Guest.likexImage, on: system, cpuid: try system.supportedCPUID())
            return try machine.run().ticks
        }
        let first = try ticks()
        #expect(first > 0)
        #expect(try ticks() == first)
    }

    @Test func theClockGoesOnForAGuestWhoseHandlersFault() throws {
        let device = try RawDevice()
        // UD2, whose handler is UD2 at 0 again. Its stack ends in what is not memory, long after the deadline.
        device.region(0, 0, 0x1000, device.allocate(0x1000, [0x0F, 0x0B]))
        device.region(1, 0x2000, 0x1000, device.allocate(0x1000))
        try device.start(at: 0)
        var registers = kvm_regs()
        registers.rflags = 2
        registers.rsp = 0x3000
        _ = try device.call(device.vcpu, .setRegs, &registers).get()
        let machine = device.kernel.machine
        machine.deadline = machine.bus.ticks + 100
        #expect(device.run() == .failure(.interrupted))
        #expect(machine.cpu.retired == 0)
    }

    @Test func entriesAreLimitedForFuzzers() throws {
        let device = try RawDevice()
        // CPUID for ever.
        device.region(0, 0, 0x1000, device.allocate(0x1000, [0x0F, 0xA2, 0xEB, 0xFC]))
        try device.start(at: 0)
        device.kernel.machine.entriesLeft = 5
        #expect(device.run() == .failure(.interrupted))
        #expect(device.kernel.machine.entriesLeft == 0)
    }

    @Test func nothingIsLeftWhenAllIsClosed() throws {
        let kernel: SimulatedKernel
        do {
            let device = try RawDevice()
            kernel = device.kernel
            device.region(0, 0, 0x1000, device.allocate(0x1000, [0xF4]))
            try device.start(at: 0)
            #expect(device.run() == .success(0))
            #expect(kernel.held > 0)
        }
        #expect(kernel.held == 0)
        #expect(!kernel.machine.vmx.isInOperation)
    }
}
