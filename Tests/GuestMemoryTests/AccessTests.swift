// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import GuestMemory

@Suite("Accesses to guest memory")
struct AccessTests {
    let test: TestMemory
    var memory: GuestMemory { test.memory }

    init() throws { test = try TestMemory() }

    @Test("bytes come back from both regions, at their very ends too")
    func bytes() throws {
        for base in [TestMemory.low, TestMemory.high] {
            for gpa in [base, base + TestMemory.count - 5] {
                try memory.write(gpa, [1, 2, 3, 4, 5])
                #expect(try memory.read(gpa, count: 5) == [1, 2, 3, 4, 5])
            }
        }
    }

    @Test(
        "what is not all in one region is refused",
        arguments: [
            (0, 1), (TestMemory.low - 1, 1), (TestMemory.low - 1, 2), (TestMemory.low + TestMemory.count - 4, 5),
            (TestMemory.low + TestMemory.count, 1), (TestMemory.high + TestMemory.count, 1), (.max, 1), (.max, 2),
            (.max - 7, 8),
            (TestMemory.low, Int.max), (TestMemory.low, -1), (.max, Int.max), (TestMemory.low, Int(TestMemory.high)),
        ] as [(UInt64, Int)])
    func outside(_ gpa: UInt64, _ count: Int) throws {
        let error = GuestMemoryError.outside(gpa: gpa, count: count)
        #expect(throws: error) { _ = try memory.read(gpa, count: count) }
        #expect(throws: error) { try memory.fill(gpa, count: count, 1) }
        #expect(throws: error) { try memory.discard(gpa, count: count) }
        #expect(throws: error) { try unsafe memory.withHostRange(gpa, count) { _ in } }
        #expect(!memory.contains(gpa, count))
    }

    @Test("integers are little-endian, of each width, aligned or not")
    func integers() throws {
        for gpa in TestMemory.low..<TestMemory.low + 9 {
            try memory.store(gpa, UInt64(0x0807_0605_0403_0201))
            #expect(try memory.read(gpa, count: 8) == [1, 2, 3, 4, 5, 6, 7, 8])
            #expect(try memory.load(gpa, as: UInt64.self) == 0x0807_0605_0403_0201)
            #expect(try memory.load(gpa, as: UInt32.self) == 0x0403_0201)
            #expect(try memory.load(gpa, as: UInt16.self) == 0x0201)
            #expect(try memory.load(gpa, as: UInt8.self) == 1)
            try memory.store(gpa, UInt32(0xFFFF_FFFF))
            try memory.store(gpa + 4, UInt16(0xEEEE))
            try memory.store(gpa + 6, UInt8(0xDD))
            #expect(try memory.read(gpa, count: 8) == [0xFF, 0xFF, 0xFF, 0xFF, 0xEE, 0xEE, 0xDD, 8])
            try memory.store(gpa, UInt128(7))
            #expect(try memory.load(gpa, as: UInt128.self) == 7)
        }
        let last = TestMemory.low + TestMemory.count - 2
        #expect(throws: GuestMemoryError.outside(gpa: last, count: 4)) { try memory.load(last, as: UInt32.self) }
        #expect(throws: GuestMemoryError.outside(gpa: last, count: 8)) { try memory.store(last, UInt64(0)) }
    }

    @Test("an index is loaded and stored at even addresses only")
    func indices() throws {
        try memory.storeRelease(TestMemory.low + 2, 0x1234)
        #expect(try memory.loadAcquire(TestMemory.low + 2) == 0x1234)
        let odd = TestMemory.low + 3
        #expect(throws: GuestMemoryError.misaligned(gpa: odd, width: 2)) { try memory.loadAcquire(odd) }
        #expect(throws: GuestMemoryError.misaligned(gpa: odd, width: 2)) { try memory.storeRelease(odd, 1) }
        #expect(throws: GuestMemoryError.outside(gpa: 0, count: 2)) { try memory.loadAcquire(0) }
    }

    @Test(
        "whole pages are given back and read as zero; what is around them stays",
        arguments: [GuestRegion.Backing.anonymous, .sharedFile])
    func discard(_ backing: GuestRegion.Backing) throws {
        let test = try TestMemory(backing: backing)
        let memory = test.memory
        try memory.fill(TestMemory.low, count: Int(TestMemory.count), 0xAA)
        try memory.discard(TestMemory.low + 0x800, count: 0x2000)
        let bytes = try memory.read(TestMemory.low, count: Int(TestMemory.count))
        #expect(bytes[0..<0x1000].allSatisfy { $0 == 0xAA })
        #expect(bytes[0x1000..<0x2000].allSatisfy { $0 == 0 })
        #expect(bytes[0x2000...].allSatisfy { $0 == 0xAA })
        try memory.discard(TestMemory.low + 1, count: 4095)
        #expect(try memory.load(TestMemory.low + 1, as: UInt8.self) == 0xAA)
    }

    @Test("regions that are empty, too long or overlap make no memory")
    func regions() throws {
        let base = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
        defer { unsafe base.deallocate() }
        func made(_ list: [(UInt64, UInt64)]) throws(GuestMemoryError) -> GuestMemory {
            try GuestMemory(list.map { unsafe GuestRegion(gpa: $0.0, count: $0.1, base: base) })
        }
        #expect(throws: GuestMemoryError.badRegion(gpa: 4, count: 0)) { try made([(4, 0)]) }
        #expect(throws: GuestMemoryError.badRegion(gpa: .max, count: 2)) { try made([(.max, 2)]) }
        #expect(throws: GuestMemoryError.badRegion(gpa: 0, count: .max)) { try made([(0, .max)]) }
        #expect(throws: GuestMemoryError.overlap(gpa: 15, other: 0)) { try made([(15, 16), (0, 16)]) }
        #expect(try made([(.max, 1), (16, 16), (0, 16)]).count == 33)
        #expect("\(GuestMemoryError.outside(gpa: 0x20, count: 3))".contains("guest address 0x20: 3 bytes"))
    }
}
