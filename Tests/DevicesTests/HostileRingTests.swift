// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory
import TestRandom
import Testing

@testable import Devices

@Suite("Rings of a driver that breaks the rules")
struct HostileRingTests {
    let driver: TestDriver
    static let end = GuestRAM.base + UInt64(GuestRAM.count)

    init() throws { driver = try TestDriver(EchoDevice()) }

    /// What the device says to descriptors of which the first one is made available.
    func split(_ descriptors: [(UInt64, UInt32, UInt16, UInt16)], head: UInt16 = 0, features: UInt64 = 0) throws
        -> VirtioError?
    {
        try driver.start(features, size: 4)
        let ring = try #require(driver.rings[0] as? SplitDriver)
        for (index, descriptor) in descriptors.enumerated() {
            let buffer = Buffer(gpa: descriptor.0, count: descriptor.1, isWritable: false)
            try ring.describe(ring.areas.descriptors, UInt16(index), buffer, flags: descriptor.2, next: descriptor.3)
        }
        try ring.publish(head)
        driver.notify(0)
        #expect(try ring.takeCompleted().isEmpty)
        #expect(driver.get(0x70) == 15 | 64 && driver.takeInterrupt() == 2)
        return driver.failure.value
    }

    @Test("split: loops, numbers, addresses, orders and tables that may not be")
    func splitChains() throws {
        let base = GuestRAM.base
        let (next, write, indirect): (UInt16, UInt16, UInt16) = (1, 2, 4)
        #expect(try split([(base, 1, next, 1), (base, 1, next, 0)]) == .chainTooLong)
        #expect(try split([(base, 1, next, 0)]) == .chainTooLong)
        #expect(try split([(base, 1, next, 4)]) == .badIndex(4))
        #expect(try split([], head: 4) == .badIndex(4))
        #expect(try split([(0, 1, 0, 0)]) == .memory(.outside(gpa: 0, count: 1)))
        #expect(try split([(Self.end - 1, 2, 0, 0)]) == .memory(.outside(gpa: Self.end - 1, count: 2)))
        #expect(try split([(.max, .max, write, 0)]) == .memory(.outside(gpa: .max, count: Int(UInt32.max))))
        #expect(try split([(base, 1, write | next, 1), (base, 1, 0, 0)]) == .readableAfterWritable)
        #expect(try split([(base, 16, indirect, 0)]) == .badIndirect)
        let offered: UInt64 = 1 << 28
        #expect(try split([(base, 16, indirect | next, 1)], features: offered) == .badIndirect)
        #expect(try split([(base, 0, indirect, 0)], features: offered) == .badIndirect)
        #expect(try split([(base, 24, indirect, 0)], features: offered) == .badIndirect)
        #expect(
            try split([(Self.end - 16, 32, indirect, 0)], features: offered)
                == .memory(.outside(gpa: Self.end - 16, count: 32)))
    }

    @Test("split: tables that loop, nest, or name what isn't in them")
    func splitTables() throws {
        func table(_ entries: [(UInt64, UInt32, UInt16, UInt16)]) throws -> VirtioError? {
            var bytes: [UInt8] = []
            for entry in entries {
                bytes.append(little: entry.0)
                bytes.append(little: entry.1)
                bytes.append(little: entry.2)
                bytes.append(little: entry.3)
            }
            return try split([(try driver.ram.place(bytes), UInt32(bytes.count), 4, 0)], features: 1 << 28)
        }
        let base = GuestRAM.base
        #expect(try table([(base, 1, 1, 0)]) == .chainTooLong)
        #expect(try table([(base, 0, 1, 1), (base, 0, 1, 0)]) == .chainTooLong)
        #expect(try table([(base, 1, 1, 1)]) == .badIndex(1))
        #expect(try table([(base, 16, 4, 0)]) == .badIndirect)
        let most = (Self.end - base)
        let entries = (1...1024).map { (base, UInt32(most), UInt16(1), UInt16($0)) }
        #expect(try table(entries) == .chainTooLarge)
    }

    @Test("split: more available than there is room for")
    func splitIndex() throws {
        try driver.start(0, size: 4)
        try driver.ram.memory.store(driver.rings[0].areas.driver + 2, UInt16(5))
        driver.notify(0)
        #expect(driver.failure.value == .tooManyAvailable(5))
    }

    @Test("packed: chains without end, and more of them than slots")
    func packedChains() throws {
        try driver.start(TestDriver.packed, size: 4)
        let ring = try #require(driver.rings[0] as? PackedDriver)
        let buffer = Buffer(gpa: GuestRAM.base, count: 1, isWritable: false)
        for slot in 0..<4 as Range<UInt64> {
            try ring.write(ring.areas.descriptors + 16 * slot, buffer, identifier: 0, flags: 1 << 7 | 1)
        }
        driver.notify(0)
        #expect(driver.failure.value == .chainTooLong)
        // Available again without having been given back.
        let device = EchoDevice()
        let other = try TestDriver(device)
        try other.start(TestDriver.packed, size: 2)
        let small = try #require(other.rings[0] as? PackedDriver)
        for _ in 0..<2 { _ = try small.add([buffer], indirect: false) }
        try device.take()
        #expect(device.held.count == 2)
        try small.write(small.areas.descriptors, buffer, identifier: 0, flags: 1 << 15)
        #expect(throws: VirtioError.chainTooLong) { try device.take() }
    }

    @Test("any bytes in rings and tables: no trap, and a reset makes it whole", arguments: QueueTests.kinds)
    func random(_ features: UInt64) throws {
        var random = Random(seed: features)
        for _ in 0..<30 {
            try driver.start(features, size: 8)
            let areas = driver.rings[0].areas
            for _ in 0..<20 {
                for gpa in stride(from: areas.descriptors, to: areas.device + 80, by: 2) where random.oneIn(3) {
                    let value = random.oneIn(3) ? UInt16(truncatingIfNeeded: random.interesting()) : random.below(8)
                    try driver.ram.memory.store(gpa, value)
                }
                // Some addresses that are good.
                for slot in 0..<8 as Range<UInt64> where random.oneIn(2) {
                    try driver.ram.memory.store(areas.descriptors + 16 * slot, GuestRAM.base + random.below(0x10000))
                    try driver.ram.memory.store(areas.descriptors + 16 * slot + 8, random.below(256) as UInt32)
                }
                driver.notify(0)
            }
        }
        let fresh = try TestDriver(EchoDevice())
        try fresh.start(features)
        #expect(try fresh.exchange(0, [try fresh.readable([1])]).count == 1)
    }
}
