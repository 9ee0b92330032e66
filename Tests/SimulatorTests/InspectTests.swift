// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import Glibc
import KVM
import KVMABI
import Testing

@testable import Simulator

/// What a simulated VM shows of itself.
@Suite struct InspectTests {
    /// mov 0x5000, %al; mov %al, 0x6001; out %al, $0x10; hlt
    private static let program: [UInt8] = [0xA0, 0x00, 0x50, 0xA2, 0x01, 0x60, 0xE6, 0x10, 0xF4]

    private func device(tracing: Bool = false) throws -> RawDevice {
        let device = try RawDevice()
        if tracing { device.kernel.beginTrace() }
        device.region(0, 0, 0x8000, device.allocate(0x8000, Self.program))
        try device.start(at: 0)
        return device
    }

    @Test func pageTablesBeforeAndAfterARun() throws {
        let device = try device()
        let empty = try #require(device.kernel.pageTables().first)
        #expect(empty.entries.isEmpty && empty.tables == 1 && empty.hasAccessDirty && empty.process == getpid())
        #expect(device.run() == .success(0))
        let after = try #require(device.kernel.pageTables().first)
        #expect(after.tables == 4)
        #expect(after.entries.map(\.level) == [4, 3, 2, 1, 1, 1, 1, 1])
        let leaves = after.entries.filter(\.isLeaf)
        // Alike ones in a row are one: what the guest used, and what was mapped with its first page.
        #expect(leaves.map(\.address.rawValue) == [0, 0x1000, 0x5000, 0x6000, 0x7000])
        #expect(leaves.allSatisfy { $0.permissions == "rwx" && $0.memoryType == "WB" && $0.ignoresPAT })
        #expect(leaves.map(\.isAccessed) == [true, false, true, true, false])
        #expect(leaves.map(\.isDirty) == [false, false, false, true, false])
    }

    /// Memory of 2 MiB that is all there is one entry, where the simulated host has large pages.
    @Test(arguments: [true, false]) func aLargePage(isThere: Bool) throws {
        let device = try RawDevice()
        device.kernel.machine.hasLargePages = true
        let size = 1 << 21
        let host = (device.allocate(3 * size, fill: 1) + UInt64(size) - 1) & ~(UInt64(size) - 1)
        if !isThere { unsafe madvise(UnsafeMutableRawPointer(bitPattern: UInt(host) + 0x10_0000), 4096, MADV_DONTNEED) }
        guard let at = unsafe UnsafeMutableRawPointer(bitPattern: UInt(host)) else { preconditionFailure("memory at 0") }
        unsafe at.copyMemory(from: Self.program, byteCount: Self.program.count)
        #expect(device.region(0, 0, UInt64(size), host) == .success(0))
        try device.start(at: 0)
        #expect(device.run() == .success(0) && device.output == 1)
        let leaves = try #require(device.kernel.pageTables().first).entries.filter(\.isLeaf)
        #expect(leaves.allSatisfy { $0.level == (isThere ? 2 : 1) } && (leaves.count == 1) == isThere)
        let stored = unsafe at.load(fromByteOffset: 0x6001, as: UInt8.self)
        #expect(stored == 1)
    }

    @Test func everyVMIsShownOnceWithANumberOfItsOwn() throws {
        let device = try device()
        let second = try device.kernel.ioctl(device.system, Ioctl.createVm.request, 0).get()
        let ids = device.kernel.pageTables().map(\.id)
        #expect(ids.count == 2 && Set(ids).count == 2)
        device.kernel.close(Int32(second))
        #expect(device.kernel.pageTables().map(\.id) == [ids[0]])
    }

    @Test func tracedEventsInTheirOrder() throws {
        let device = try device(tracing: true)
        #expect(device.run() == .success(0))
        #expect(device.run() == .success(0))
        let (events, lost) = device.kernel.events
        #expect(lost == 0)
        #expect(zip(events, events.dropFirst()).allSatisfy { $0.time <= $1.time })
        let words = events.map { event in
            switch event.what {
            case .entry: "entry"
            case .exit(let reason, _, _, _, _): "exit \(reason)"
            case .inject: "inject"
            case .fault(let address, _): "fault \(address)"
            case .mmio: "mmio"
            case .port(let port, let size, let count, let isInput): "\(isInput ? "in" : "out") \(port) \(size) \(count)"
            }
        }
        #expect(
            words == [
                "entry", "exit 48", "fault 0x0", "entry", "exit 30", "out 16 1 1", "entry", "exit 12",
            ])
    }

    @Test func withoutBeingAskedNothingIsKept() throws {
        let device = try device()
        #expect(device.run() == .success(0))
        #expect(device.kernel.events.kept.isEmpty)
    }
}
