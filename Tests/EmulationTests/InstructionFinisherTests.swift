// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import Emulation
import KVM
import Simulator
import Testing

/// On the simulated device, an instruction at a time. Whole programs: the guest mmio_other, on every device.
@Suite struct InstructionFinisherTests {
    /// Real mode, memory from 0 to 64 KiB and a read-only page at 0x20000, the code at 0x1000.
    struct Bench: ~Copyable {
        let vm: VirtualMachine
        let vcpu: VCPU
        let device = Device()
        let finisher = InstructionFinisher()

        init(_ code: [UInt8], at address: UInt64 = 0x1000) throws {
            let memory = try MemorySlot(slot: 0, base: GuestAddress(0), count: 0x10000)
            try #require(memory.write(code, at: GuestAddress(address)))
            let readOnly = try MemorySlot(slot: 1, base: GuestAddress(0x20000), count: 0x1000, isReadOnly: true)
            var vm = try System(path: SimulatedKernel.path, in: try SimulatedKernel()).makeVirtualMachine()
            let vcpu = try vm.makeVCPU()
            try vm.add(memory)
            try vm.add(readOnly)
            var special = try vcpu.specialRegisters()
            special.cs.base = 0
            special.cs.selector = 0
            try vcpu.setSpecialRegisters(special)
            var registers = try vcpu.registers()
            registers.rip = address
            registers.rsp = 0x8000
            try vcpu.setRegisters(registers)
            self.vm = vm
            self.vcpu = vcpu
        }

        func setData(base: UInt64) throws {
            var special = try vcpu.specialRegisters()
            special.ds.base = base
            special.es.base = base
            try vcpu.setSpecialRegisters(special)
        }

        func finish() throws -> InstructionFinisher.Result {
            try finisher.finish(vcpu, memory: vm.slots, device: device)
        }
    }

    final class Device: MMIODevice {
        var log: [String] = []
        func load(_ address: GuestAddress, count: Int) -> [UInt8] {
            log.append("load \(address) \(count)")
            return [UInt8](repeating: 0x11, count: count)
        }
        func store(_ address: GuestAddress, _ bytes: [UInt8]) { log.append("store \(address) \(bytes)") }
    }

    @Test func loadsComputesAndStores() throws {
        // add %al, 4(%si), flags and all.
        let bench = try Bench([0x00, 0x44, 0x04])
        try bench.setData(base: 0xd0000)
        var registers = try bench.vcpu.registers()
        registers.rax = 0xEF
        registers.rsi = 0x10
        try bench.vcpu.setRegisters(registers)
        #expect(try bench.finish() == .finished)
        #expect(bench.device.log == ["load 0xd0014 1", "store 0xd0014 [0]"])
        let after = try bench.vcpu.registers()
        #expect(after.rip == 0x1003)
        #expect(after.rflags & 0x8D5 == 0x55, "ZF, PF, AF and CF")
    }

    @Test func anX87LoadPushesWhereverTheTopIs() throws {
        // fldl 0 while ST(0) is 1.0 and TOP is 3.
        let bench = try Bench([0xDD, 0x06, 0x00, 0x00])
        try bench.setData(base: 0xd0000)
        var fpu = try bench.vcpu.fpu()
        fpu.fsw = 3 << 11
        fpu.ftwx = 1 << 3
        let one: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0x80, 0xFF, 0x3F]
        unsafe withUnsafeMutableBytes(of: &fpu.fpr) { unsafe $0.copyBytes(from: one) }
        try bench.vcpu.setFPU(fpu)
        #expect(try bench.finish() == .finished)
        let after = try bench.vcpu.fpu()
        #expect(after.fsw >> 11 & 7 == 2)
        #expect(after.ftwx == 1 << 3 | 1 << 2)
        let images = unsafe withUnsafeBytes(of: after.fpr) { unsafe [UInt8]($0.prefix(32)) }
        // 0x1111111111111111 as a double, then what was ST(0).
        #expect([UInt8](images[0..<10]) == [0, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x11, 0x3D])
        #expect([UInt8](images[16..<26]) == one)
    }

    @Test func aReadOnlySlotIsADeviceForStores() throws {
        // incb 0 in the read-only slot: its load is memory's.
        let bench = try Bench([0xFE, 0x06, 0x00, 0x00])
        try bench.setData(base: 0x20000)
        #expect(try bench.finish() == .finished)
        #expect(bench.device.log == ["store 0x20000 [1]"])
        #expect(bench.vm.slots[1].read(at: GuestAddress(0x20000), count: 1) == [0])
    }

    @Test func anExceptionIsDelivered() throws {
        // addl at the end of a segment of 64 KiB: #GP through vector 13, whose handler is at 0x3000; no load was made.
        let bench = try Bench([0x66, 0x01, 0x06, 0xFE, 0xFF])
        try bench.setData(base: 0xd0000)
        try #require(bench.vm.slots[0].write([0x00, 0x30, 0x00, 0x00], at: GuestAddress(13 * 4)))
        #expect(try bench.finish() == .finished)
        #expect(bench.device.log == [])
        let after = try bench.vcpu.registers()
        #expect(after.rip == 0x3000)
        #expect(after.rsp == 0x8000 - 6)
    }

    @Test func aRepeatedStringGoesOnWhereItIs() throws {
        // rep stosb, three bytes.
        let bench = try Bench([0xF3, 0xAA])
        try bench.setData(base: 0xd0000)
        var registers = try bench.vcpu.registers()
        registers.rax = 7
        registers.rcx = 3
        registers.rdi = 0x100
        try bench.vcpu.setRegisters(registers)
        var rounds = 0
        while try bench.vcpu.registers().rip == 0x1000, rounds < 10 {
            #expect(try bench.finish() == .finished)
            rounds += 1
        }
        #expect(bench.device.log == (0x100..<0x103).map { "store 0xd0\(String($0, radix: 16)) [7]" })
        #expect(try bench.vcpu.registers().rcx == 0)
    }

    @Test(arguments: [
        ([0xF4], "hlt"), ([0x0F, 0xA2], "cpuid"), ([0xE4, 0x42], "input"),
        // PSHUFB, which X86 has not.
        ([0x0F, 0x38, 0x00, 0xC0, 0x90], "bytes 0f 38 00 c0"),
    ] as [([UInt8], String)])
    func whatCannotBeFinishedChangesNothing(_ code: [UInt8], _ reason: String) throws {
        let bench = try Bench(code)
        let before = try bench.vcpu.registers()
        let result = try bench.finish()
        guard case .unsupported(let text) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(text.contains(reason))
        #expect(bench.device.log == [])
        #expect(try bench.vcpu.registers().rip == before.rip)
        #expect(try bench.vcpu.registers().rax == before.rax)
    }

    @Test func codeOutsideOfMemoryIsNotAskedOfTheDevice() throws {
        let bench = try Bench([0x90])
        var special = try bench.vcpu.specialRegisters()
        special.cs.base = 0xd0000
        try bench.vcpu.setSpecialRegisters(special)
        guard case .unsupported = try bench.finish() else {
            Issue.record("an instruction was made of nothing")
            return
        }
        #expect(bench.device.log == [])
    }

    @Test func singleSteppingIsLeftAlone() throws {
        let bench = try Bench([0x00, 0x06, 0x00, 0x00])
        try bench.setData(base: 0xd0000)
        var registers = try bench.vcpu.registers()
        registers.rflags |= 0x100
        try bench.vcpu.setRegisters(registers)
        guard case .unsupported(let text) = try bench.finish() else {
            Issue.record("a #DB would be lost")
            return
        }
        #expect(text.contains("TF"))
        #expect(bench.device.log == [])
    }
}
