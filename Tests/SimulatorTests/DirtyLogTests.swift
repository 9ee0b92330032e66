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

    @Test(arguments: [false, true]) func aGuestsWritesAreInIt(pml: Bool) throws {
        let system = try System(path: SimulatedKernel.path, in: SimulatedKernel(logsModifiedPages: pml))
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

    /// Three pages at a time, until the processor's page of 512 entries has been full more than once.
    @Test func thePageOfAProcessorThatLogsIsFull() throws {
        let kernel = try SimulatedKernel(logsModifiedPages: true)
        var vm = try System(path: SimulatedKernel.path, in: kernel).makeVirtualMachine()
        let memory = try MemorySlot(slot: 0, base: GuestAddress(0), count: 0x10000)
        #expect(memory.write(Self.program, at: GuestAddress(0x1000)))
        try vm.add(memory)
        try vm.setLogging(true, of: memory)
        let vcpu = try vm.makeVCPU()
        for _ in 0..<400 {
            try run(vcpu, stores: 12)
            #expect(try vm.dirtyLog(of: memory).pages == [8, 9, 10])
        }
        #expect(kernel.warnings == [])
    }

    /// What a VMM has of the first bytes of 16 pages that it copies elsewhere while the guest runs: those that logs have named.
    private struct Copy: Sendable {
        var bytes = [UInt8](repeating: 0, count: 16)
        var named: Set<Int> = []

        /// What a log names is copied after that log has been read.
        mutating func readLog(_ device: RawDevice, _ memory: UInt64) {
            var bitmap: UInt64 = 0
            unsafe withUnsafeMutablePointer(to: &bitmap) { bitmap in
                var log = unsafe kvm_dirty_log()
                unsafe log.padding2 = UInt64(UInt(bitPattern: bitmap))
                let result = unsafe withUnsafeMutablePointer(to: &log) {
                    device.call(device.vm, .getDirtyLog, UInt(bitPattern: $0))
                }
                #expect(result == .success(0))
            }
            for page in 0..<16 where bitmap >> UInt64(page) & 1 != 0 {
                bytes[page] = Self.byte(memory, page)
                named.insert(page)
            }
        }

        static func byte(_ memory: UInt64, _ page: Int) -> UInt8 {
            unsafe UnsafePointer<UInt8>(bitPattern: UInt(memory) + UInt(page) * 4096)?.pointee ?? 0
        }
    }

    @Test(arguments: [false, true]) func aGuestThatRunsIsCopied(pml: Bool) async throws {
        let device = try RawDevice(logsModifiedPages: pml)
        // At 0x1000: incb (%bx); add $16, %bh; or $128, %bh; cmpb $0, 0x7000; je back; hlt. The first bytes of pages 0 and 8 to 15.
        let code: [UInt8] = [0xFE, 0x07, 0x80, 0xC7, 0x10, 0x80, 0xCF, 0x80, 0x80, 0x3E, 0x00, 0x70, 0x00, 0x74, 0xF1, 0xF4]
        let written: Set = [0, 8, 9, 10, 11, 12, 13, 14, 15]
        let memory = device.allocate(0x10000, [UInt8](repeating: 0, count: 0x1000) + code)
        #expect(device.region(0, 0, 0x10000, memory, flags: 1) == .success(0))
        try device.start(at: 0x1000)
        async let runs = onThread { device.run() }
        var copy = await onThread {
            var copy = Copy()
            var readings = 0
            while readings < 5 || copy.named != written {
                copy.readLog(device, memory)
                readings += 1
            }
            unsafe UnsafeMutablePointer<UInt8>(bitPattern: UInt(memory) + 0x7000)?.pointee = 1
            return copy
        }
        #expect(await runs == .success(0))
        copy.readLog(device, memory)
        #expect(written.allSatisfy { copy.bytes[$0] == Copy.byte(memory, $0) })
        #expect(copy.named == written && device.kernel.warnings == [])
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
