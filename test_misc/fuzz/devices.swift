// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=512
// Fuzzes the devices: whatever a guest writes to registers, rings and buffers must not end this process, nor reach outside of guest
// memory, nor make a device hold more than it may.
// The input: which device; what its driver agrees on; then operations (`Step`), each a byte and its operands.
import Glibc
import GuestMemory

@testable import Devices

@c(LLVMFuzzerTestOneInput)
public func fuzzDevices(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data = unsafe data, size > 2 else { return 0 }
    var input = Input(unsafe Array(UnsafeBufferPointer(start: data, count: size)))
    let which = Int(input.byte())
    if which % 8 == 7 {
        var chips = Chips()
        chips.run(&input)
    } else {
        unsafe Session.shared.run(which, &input)
    }
    return 0
}

/// The input, as it is used up; zeroes behind its end.
struct Input {
    private let bytes: [UInt8]
    private var position = 0
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isEmpty: Bool { position >= bytes.count }
    mutating func byte() -> UInt8 {
        defer { position += 1 }
        return isEmpty ? 0 : bytes[position]
    }
    mutating func number(_ count: Int) -> UInt64 {
        (0..<count).reduce(0) { value, index in value | UInt64(byte()) << (8 * UInt64(index)) }
    }
    mutating func take(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }
}

/// Every port and register of the chips that aren't virtio's.
struct Chips {
    final class Line: InterruptLine {
        func set(_ level: Bool) {}
    }
    final class Sink: MessageSink {
        func send(address: UInt64, data: UInt32) { precondition(address >> 20 == 0xFEE, "a message that is none") }
    }
    let serial: Serial
    let interrupts = LegacyInterrupts(output: Line())
    let ioapic = IOAPIC(sink: Sink())
    let chips: [any BusDevice]
    var now: Int64 = 0

    init() {
        let line = Line()
        serial = Serial(interrupt: line) { $0 & 1 == 0 }
        chips = [
            serial, KeyboardController(interrupt: line) {}, PowerControl(onPowerOff: {}, onReset: {}), ResetControl {},
            ioapic,
            RealTimeClock(memoryBelow4G: 1 << 30, memoryAbove4G: 1 << 30) { 1_700_000_000 },
            interrupts.firstPorts, interrupts.secondPorts, interrupts.triggerPorts,
        ]
    }

    mutating func run(_ input: inout Input) {
        while !input.isEmpty {
            let step = input.byte()
            let chip = chips[Int(input.byte()) % chips.count]
            switch step % 6 {
            case 0, 1: chip.write(offset: UInt64(input.byte()), size: 1 << Int(step >> 6), value: input.number(4))
            case 2: _ = chip.read(offset: UInt64(input.byte()), size: 1 << Int(step >> 6))
            case 3:
                let pin = Int(input.byte())
                ioapic.input(pin % 24).set(step & 0x80 != 0)
                interrupts.input(pin % 16).set(step & 0x80 != 0)
            case 4: ioapic.endOfInterrupt(vector: input.byte())
            default:
                _ = interrupts.acknowledge()
                _ = serial.receive(input.take(Int(step >> 3)))
                if step & 0x80 != 0 { serial.resumeOutput() }
            }
            precondition(serial.received.count <= Serial.depth && serial.waiting.count <= Serial.depth)
        }
        precondition(ioapic.routes.count == IOAPIC.pinCount)
    }
}
