// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Devices

@Suite("I/O APIC")
struct IOAPICTests {
    let sink = RecordingSink()
    let chip: IOAPIC

    init() { chip = IOAPIC(sink: sink) }

    func get(_ register: UInt8) -> UInt32 {
        chip.write(offset: 0, size: 4, value: UInt64(register))
        return UInt32(chip.read(offset: 0x10, size: 4))
    }
    func put(_ register: UInt8, _ value: UInt32) {
        chip.write(offset: 0, size: 4, value: UInt64(register))
        chip.write(offset: 0x10, size: 4, value: UInt64(value))
    }
    func program(_ pin: UInt8, _ low: UInt32, destination: UInt8 = 0) {
        put(0x11 + 2 * pin, UInt32(destination) << 24)
        put(0x10 + 2 * pin, low)
    }
    static let level: UInt32 = 1 << 15
    static let masked: UInt32 = 1 << 16
    static let remoteIRR: UInt32 = 1 << 14

    @Test("24 masked inputs, and an ID")
    func start() {
        #expect(get(0x01) == 0x17_0020)
        for pin in 0..<24 as Range<UInt8> { #expect(get(0x10 + 2 * pin) == Self.masked && get(0x11 + 2 * pin) == 0) }
        put(0x00, 0xFF00_0000)
        #expect(get(0x00) == 0x0F00_0000)
        #expect(get(0x40) == 0 && get(0xFF) == 0)
        put(0x40, 1)
        for pin in 0..<24 { chip.input(pin).pulse() }
        #expect(sink.take().isEmpty)
    }

    @Test("an edge is one message, with vector, mode and destination in their places")
    func edges() {
        program(4, 0x0931, destination: 3)  // logical, lowest priority
        chip.input(4).set(true)
        chip.input(4).set(true)
        #expect(sink.take() == [Message(address: 0xFEE0_3004, data: 0x131)])
        chip.input(4).set(false)
        chip.input(4).set(true)
        #expect(sink.take().count == 1)
        chip.endOfInterrupt(vector: 0x31)
        #expect(sink.take().isEmpty && get(0x18) & Self.remoteIRR == 0)
        // Lost while masked.
        program(4, 0x31 | Self.masked)
        chip.input(4).pulse()
        program(4, 0x31)
        #expect(sink.take().isEmpty)
    }

    @Test("a level is delivered once, and again after its EOI as long as it is up")
    func levels() {
        program(10, 0x41 | Self.level)
        chip.input(10).set(true)
        chip.input(10).set(true)
        #expect(sink.take() == [Message(address: 0xFEE0_0000, data: 0xC041)])
        #expect(get(0x24) & Self.remoteIRR != 0)
        chip.endOfInterrupt(vector: 0x40)
        #expect(sink.take().isEmpty)
        chip.endOfInterrupt(vector: 0x41)
        #expect(sink.take().count == 1)
        chip.input(10).set(false)
        chip.write(offset: 0x40, size: 4, value: 0x41)
        #expect(sink.take().isEmpty && get(0x24) & Self.remoteIRR == 0)
        // A level that is up when the mask goes is delivered.
        program(10, 0x41 | Self.level | Self.masked)
        chip.input(10).set(true)
        #expect(sink.take().isEmpty)
        program(10, 0x41 | Self.level)
        #expect(sink.take().count == 1)
        // Software can't write remote IRR, but ends an interrupt by way of an edge.
        put(0x24, 0x41 | Self.level)
        #expect(get(0x24) & Self.remoteIRR != 0)
        program(10, 0x41 | Self.masked)
        #expect(get(0x24) & Self.remoteIRR == 0)
        program(10, 0x41 | Self.level)
        #expect(sink.take().count == 1)
    }

    @Test("routes are what the entries say, and changes are told, of what matters only")
    func routes() {
        let changes = Box(0)
        chip.onRouteChange = { changes.value += 1 }
        program(23, 0x55 | Self.level, destination: 0xFF)
        #expect(changes.value == 2)
        chip.input(23).set(true)
        put(0x3E, 0x55 | Self.level)
        #expect(changes.value == 2)
        #expect(chip.routes.count == 24 && chip.routes[0].isMasked)
        #expect(
            chip.routes[23]
                == IOAPIC.Route(gsi: 23, address: 0xFEEF_F000, data: 0xC055, isMasked: false, isLevel: true))
        // KVM's extension of the destination: bits 55:49 of the entry, 11:5 of the address.
        put(0x3F, 0x0102_0000)
        #expect(chip.routes[23].address == 0xFEE0_1020)
    }

    @Test("any access at any offset is answered")
    func hostile() {
        for register in 0...255 {
            for offset in stride(from: UInt64(0), through: 0x1008, by: 4) {
                chip.write(offset: offset, size: 8, value: offset == 0 ? UInt64(register) : .max)
                _ = chip.read(offset: offset, size: 8)
            }
        }
        #expect(get(0x01) == 0x17_0020)
    }
}
