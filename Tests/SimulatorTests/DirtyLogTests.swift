// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import KVMABI
import Simulator
import Testing

/// The dirty log through the VMM's handles, on the simulated device.
@Suite struct DirtyLogTests {
    /// movb %al, (%bx); add $4, %bh; loop to the store; hlt: a store to every fourth quarter of a page, from 0x8000 on.
    private static let program: [UInt8] = [0x88, 0x07, 0x80, 0xC7, 0x04, 0xE2, 0xF9, 0xF4]

    @Test func aGuestsWritesAreInIt() throws {
        let system = try System(path: SimulatedKernel.path, in: SimulatedKernel())
        #expect(try system.check(.manualDirtyLogProtect2) == 3)
        var vm = try system.makeVirtualMachine()
        let memory = try MemorySlot(slot: 0, base: GuestAddress(0), count: 0x10000)
        #expect(memory.write(Self.program, at: GuestAddress(0x1000)))
        try vm.add(memory)
        #expect(throws: KVMError.self) { _ = try vm.dirtyLog(of: memory) }
        try vm.setLogging(true, of: memory)
        #expect(try vm.dirtyLog(of: memory).pages == [])
        let vcpu = try vm.makeVCPU()
        try run(vcpu, stores: 12)
        #expect(try vm.dirtyLog(of: memory).pages == [8, 9, 10])
        #expect(try vm.dirtyLog(of: memory).pages == [])

        try vm.protectDirtyLogByHand(allAtFirst: false)
        try run(vcpu, stores: 5)
        var written = try vm.dirtyLog(of: memory)
        #expect(written.pages == [8, 9])
        written[9] = false
        try vm.clear(written, of: memory)
        #expect(try vm.dirtyLog(of: memory).pages == [9])

        try vm.setLogging(false, of: memory)
        try vm.protectDirtyLogByHand(allAtFirst: true)
        try vm.setLogging(true, of: memory)
        #expect(try vm.dirtyLog(of: memory).pages == Array(0..<16))
    }

    private func run(_ vcpu: borrowing VCPU, stores: UInt64) throws {
        var special = try vcpu.specialRegisters()
        special.cs.base = 0
        special.cs.selector = 0
        try vcpu.setSpecialRegisters(special)
        var registers = try vcpu.registers()
        registers.rip = 0x1000
        registers.rbx = 0x8000
        registers.rcx = stores
        registers.rflags = 2
        try vcpu.setRegisters(registers)
        #expect(try vcpu.run().result == .exit)
        #expect(vcpu.runPage.exit == .hlt)
    }
}
