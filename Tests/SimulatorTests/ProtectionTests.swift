// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import Glibc
import KVM
import KVMABI
import Simulator
import Testing

/// Memory that the VMM has mapped but may not touch: EFAULT, as from a kernel, and no signal.
@Suite struct ProtectionTests {
    /// Two pages of this process with a protection; unmapped at the end.
    final class Pages {
        let address: UInt64

        init(_ protection: Int32) throws {
            let pages = unsafe mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            try #require(unsafe pages != MAP_FAILED)
            address = UInt64(UInt(bitPattern: pages))
            try #require(unsafe mprotect(pages, 8192, protection) == 0)
        }

        deinit { unsafe munmap(UnsafeMutableRawPointer(bitPattern: UInt(address)), 8192) }
    }

    private let device: RawDevice

    init() throws { device = try RawDevice() }

    @Test func argumentsThatMayNotBeReadFault() throws {
        let pages = try Pages(PROT_NONE)
        for ioctl in [Ioctl.getRegs, .setRegs, .getSregs, .setSregs, .getFpu, .setFpu, .setCpuid2, .getMsrs, .setMsrs] {
            #expect(device.call(device.vcpu, ioctl, UInt(pages.address)) == .failure(.badAddress), "\(ioctl)")
        }
        #expect(device.call(device.vm, .setUserMemoryRegion, UInt(pages.address)) == .failure(.badAddress))
    }

    @Test func resultsThatMayNotBeWrittenFault() throws {
        let pages = try Pages(PROT_READ)
        for ioctl in [Ioctl.getRegs, .getSregs, .getFpu] {
            #expect(device.call(device.vcpu, ioctl, UInt(pages.address)) == .failure(.badAddress), "\(ioctl)")
        }
        // It may be read.
        #expect(device.call(device.vcpu, .setFpu, UInt(pages.address)) == .success(0))
    }

    @Test func listsThatReachIntoSuchMemoryFault() throws {
        let pages = try Pages(PROT_READ | PROT_WRITE)
        let second = unsafe UnsafeMutableRawPointer(bitPattern: UInt(pages.address) + 4096)
        try #require(unsafe mprotect(second, 4096, PROT_NONE) == 0)
        let count = UInt(pages.address) + 4096 - 16
        unsafe UnsafeMutableRawPointer(bitPattern: count)?.storeBytes(of: 1, as: UInt32.self)
        #expect(device.call(device.vcpu, .setCpuid2, count) == .failure(.badAddress))
        #expect(device.call(device.vcpu, .getMsrs, count) == .failure(.badAddress))
    }

    @Test func aGuestOnSuchMemoryFaults() throws {
        let pages = try Pages(PROT_NONE)
        device.region(0, 0, 0x1000, pages.address)
        try device.start(at: 0)
        #expect(device.run() == .failure(.badAddress))
    }

    @Test func aGuestLoadsFromReadOnlyMemoryAndMayNotStoreThere() throws {
        let pages = try Pages(PROT_READ)
        // mov 0x1000, %al; hlt; mov %al, 0x1000
        device.region(0, 0, 0x1000, device.allocate(0x1000, [0xA0, 0x00, 0x10, 0xF4, 0xA2, 0x00, 0x10]))
        device.region(1, 0x1000, 0x1000, pages.address)
        try device.start(at: 0)
        #expect(device.run() == .success(0))
        #expect(device.exitReason == KVMExit.hlt.number)
        #expect(device.run() == .failure(.badAddress))
    }
}
