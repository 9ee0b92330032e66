// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

@testable import Devices

/// A poll loop that only remembers.
final class RecordingPoller: Poller {
    var watched: [Int32: PollEvents] = [:]
    var wakeDelay: UInt64?

    func watch(_ descriptor: Int32, _ events: PollEvents, _ source: any PollSource) { watched[descriptor] = events }
    func unwatch(_ descriptor: Int32) { watched[descriptor] = nil }
    func wake(_ source: any PollSource, after nanoseconds: UInt64) { wakeDelay = nanoseconds }
}

/// A driver of one device, as a guest has it: registers and memory only.
final class TestDriver {
    static let eventIndex: UInt64 = 1 << 29
    static let version1: UInt64 = 1 << 32
    static let packed: UInt64 = 1 << 34

    let ram: GuestRAM
    let line = RecordingLine()
    let poller = RecordingPoller()
    let transport: VirtioMMIO
    private(set) var rings: [any DriverRing] = []
    let failure = Box<VirtioError?>(nil)

    init(_ device: any VirtioDevice) throws {
        ram = try GuestRAM()
        transport = VirtioMMIO(device, memory: ram.memory, interrupt: line, poller: poller)
        transport.onFailure = { [failure] in failure.value = $0 }
    }

    func get(_ register: UInt64) -> UInt32 { UInt32(transport.read(offset: register, size: 4)) }
    func put(_ register: UInt64, _ value: UInt32) { transport.write(offset: register, size: 4, value: UInt64(value)) }

    var offered: UInt64 {
        put(0x14, 0)
        let low = get(0x10)
        put(0x14, 1)
        return UInt64(get(0x10)) << 32 | UInt64(low)
    }

    /// Up to FEATURES_OK: whether the device agrees.
    func agree(_ features: UInt64) -> Bool {
        put(0x70, 0)
        put(0x70, 1)
        put(0x70, 3)
        for half in 0..<2 as Range<UInt32> {
            put(0x24, half)
            put(0x20, UInt32(truncatingIfNeeded: features >> (32 * UInt64(half))))
        }
        put(0x70, 11)
        return get(0x70) == 11
    }

    func place(_ number: UInt32, size: UInt32, _ areas: (descriptors: UInt64, driver: UInt64, device: UInt64)) {
        put(0x30, number)
        put(0x38, size)
        for (register, address) in [(0x80, areas.descriptors), (0x90, areas.driver), (0xA0, areas.device)]
            as [(UInt64, UInt64)]
        {
            put(register, UInt32(truncatingIfNeeded: address))
            put(register + 4, UInt32(truncatingIfNeeded: address >> 32))
        }
        put(0x44, 1)
    }

    /// All of the initialisation, with every queue the device has.
    func start(_ features: UInt64, size: UInt16 = 16) throws {
        precondition(agree(features | Self.version1), "the device does not agree")
        rings = []
        for number in 0... as PartialRangeFrom<UInt32> {
            put(0x30, number)
            let most = get(0x34)
            guard most > 0 else { break }
            let size = min(size, UInt16(most))
            let hasEventIndex = features & Self.eventIndex != 0
            let ring: any DriverRing =
                features & Self.packed != 0
                ? PackedDriver(ram, size: size, hasEventIndex: hasEventIndex)
                : SplitDriver(ram, size: size, hasEventIndex: hasEventIndex)
            place(number, size: UInt32(size), ring.areas)
            precondition(get(0x44) == 1, "queue \(number) is not ready")
            rings.append(ring)
        }
        put(0x70, 15)
    }

    func notify(_ queue: Int) { put(0x50, UInt32(queue)) }

    /// Acknowledges what there is, and returns it.
    func takeInterrupt() -> UInt32 {
        let reasons = get(0x60)
        put(0x64, reasons)
        return reasons
    }

    func readable(_ bytes: [UInt8]) throws -> Buffer {
        Buffer(gpa: try ram.place(bytes), count: UInt32(bytes.count), isWritable: false)
    }
    func writable(_ count: Int) -> Buffer {
        Buffer(gpa: ram.allocate(max(1, count)), count: UInt32(count), isWritable: true)
    }
    func bytes(_ buffer: Buffer) throws -> [UInt8] { try ram.memory.read(buffer.gpa, count: Int(buffer.count)) }

    /// Makes a chain available and notifies; what came back.
    func exchange(_ queue: Int, _ buffers: [Buffer], indirect: Bool = false) throws -> [Completion] {
        _ = try rings[queue].add(buffers, indirect: indirect)
        notify(queue)
        return try rings[queue].takeCompleted()
    }
}
