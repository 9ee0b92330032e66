// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import CLikexHW
import KVM
import KVMABI
import Testing

@testable import Simulator

/// Guest memory that changes under a guest, and that a forgotten flush of the core is seen.
@Suite struct TranslationTests {
    private let device: RawDevice

    /// mov 0x5000, %al; out %al, $0x10; jmp back.
    private static let reader: [UInt8] = [0xA0, 0x00, 0x50, 0xE6, 0x10, 0xEB, 0xF9]

    init() throws {
        device = try RawDevice()
        device.region(0, 0, 0x5000, device.allocate(0x5000, Self.reader))
        device.region(1, 0x5000, 0x1000, device.allocate(0x1000, fill: 0x11))
        try device.start(at: 0)
        #expect(device.run() == .success(0))
        #expect(device.exitReason == KVMExit.io.number)
        #expect(device.output == 0x11)
    }

    private func replace() {
        #expect(device.region(1, 0x5000, 0, 0) == .success(0))
        #expect(device.region(1, 0x5000, 0x1000, device.allocate(0x1000, fill: 0x22)) == .success(0))
    }

    @Test func aReplacedSlotIsSeen() {
        replace()
        #expect(device.run() == .success(0))
        #expect(device.output == 0x22)
        #expect(device.kernel.warnings == [])
    }

    @Test func aDeletedSlotIsMMIO() {
        #expect(device.region(1, 0x5000, 0, 0) == .success(0))
        #expect(device.run() == .success(0))
        #expect(device.exitReason == KVMExit.mmio.number)
    }

    @Test func withoutINVEPTTheGuestStillReadsTheOldMemory() throws {
        let machine = device.kernel.machine
        let real = unsafe try #require(machine.hw.pointee.processor)
        let faulty = UnsafeMutablePointer<hw_ops>.allocate(capacity: 1)
        unsafe faulty.initialize(to: real.pointee)
        unsafe faulty.pointee.invept = { _, _, _ in }
        unsafe machine.hw.pointee.processor = UnsafePointer(faulty)
        defer {
            unsafe machine.hw.pointee.processor = real
            unsafe faulty.deallocate()
        }
        replace()
        #expect(device.run() == .success(0))
        #expect(device.output == 0x11)
    }

    @Test func aSlotGoesWhileTheGuestRuns() async throws {
        // mov 0x5000, %al; jmp back: nothing of this exits.
        let device = try RawDevice()
        device.region(0, 0, 0x5000, device.allocate(0x5000, [0xA0, 0x00, 0x50, 0xEB, 0xFB]))
        device.region(1, 0x5000, 0x1000, device.allocate(0x1000, fill: 0x11))
        try device.start(at: 0)
        async let run = onThread { device.run() }
        while unsafe device.kernel.machine.running == nil { await Task.yield() }
        #expect(device.region(1, 0x5000, 0, 0) == .success(0))
        #expect(await run == .success(0))
        #expect(device.exitReason == KVMExit.mmio.number)
    }
}
