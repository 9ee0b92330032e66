// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Devices

@Suite("16550A")
struct SerialTests {
    let line = RecordingLine()
    let sent = Box<[UInt8]>([])
    let room = Box(Int.max)
    let serial: Serial

    init() {
        serial = Serial(interrupt: line) { [sent, room] byte in
            guard sent.value.count < room.value else { return false }
            sent.value.append(byte)
            return true
        }
        serial.put(4, 0x0B)  // DTR, RTS, OUT2
        _ = serial.get(6)
    }

    @Test("bytes go out at once, and LSR says that the transmitter is empty")
    func output() {
        for byte in Array("hello".utf8) {
            #expect(serial.get(5) & 0x60 == 0x60)
            serial.put(0, byte)
        }
        #expect(sent.value == Array("hello".utf8))
    }

    @Test("the registers keep what they are given; the divisor hides two of them")
    func registers() {
        serial.put(7, 0x5A)
        #expect(serial.get(7) == 0x5A)
        serial.put(3, 0x83)
        serial.put(0, 0x34)
        serial.put(1, 0x12)
        #expect(serial.get(0) == 0x34 && serial.get(1) == 0x12)
        serial.put(3, 0x03)
        #expect(serial.get(3) == 0x03 && serial.get(1) == 0)
        serial.put(1, 0xFF)
        #expect(serial.get(1) == 0x0F)
        #expect(sent.value.isEmpty)
        #expect(serial.read(offset: 3, size: 2) == 0x0B03)
    }

    @Test("an empty transmitter interrupts once: when asked for, after a byte, until IIR is read")
    func transmitterInterrupt() {
        serial.put(1, 0x02)
        #expect(line.level && serial.get(2) == 0x02)
        #expect(!line.level && serial.get(2) == 0x01)
        serial.put(0, 1)
        #expect(line.level && serial.get(2) == 0x02 && !line.level)
    }

    @Test("received bytes interrupt until they are read; what doesn't fit is offered again")
    func input() {
        let asked = Box(0)
        serial.onInputRoom = { asked.value += 1 }
        serial.put(1, 0x01)
        #expect(serial.receive([1, 2]) == 1)
        #expect(line.level && serial.get(2) == 0x04 && serial.get(5) & 1 == 1)
        #expect(serial.get(0) == 1 && !line.level && asked.value == 1)
        serial.put(2, 0x81)
        #expect(serial.receive(Array(0..<20)) == 16)
        #expect(serial.inputRoom == 0 && serial.get(2) == 0xC4)
        #expect((0..<9).map { _ in serial.get(0) } == Array(0..<9))
        // Below the trigger of 8 it is the time-out.
        #expect(serial.get(2) == 0xCC && line.level)
        #expect((9..<16).map { _ in serial.get(0) } == Array(9..<16))
        #expect(!line.level && asked.value == 2 && serial.get(0) == 0)
    }

    @Test("a sink that takes nothing holds the guest back, and goes on later")
    func backPressure() {
        room.value = 1
        serial.put(2, 0x01)
        serial.put(1, 0x02)
        _ = serial.get(2)
        serial.put(0, 1)
        _ = serial.get(2)
        serial.put(0, 2)
        #expect(serial.get(5) & 0x60 == 0 && !line.level)
        for byte in 3..<30 as Range<UInt8> { serial.put(0, byte) }
        #expect(sent.value == [1])
        room.value = .max
        serial.resumeOutput()
        #expect(sent.value == Array(1...17) && line.level && serial.get(5) & 0x60 == 0x60)
    }

    @Test("loopback: own bytes come back, the outputs are the inputs, nothing goes out or interrupts")
    func loopback() {
        serial.put(1, 0x0F)
        _ = serial.get(2)
        serial.put(4, 0x1A)  // OUT2, RTS: what Linux looks for
        #expect(serial.get(6) & 0xF0 == 0x90)
        serial.put(0, 0x77)
        #expect(serial.get(5) & 1 == 1 && serial.get(0) == 0x77 && sent.value.isEmpty && !line.level)
        serial.put(0, 1)
        serial.put(0, 2)
        #expect(serial.get(2) & 0x0F == 0x06)
        #expect(serial.get(5) & 0x02 != 0 && serial.get(5) & 0x02 == 0)
        #expect(serial.receive([9]) == 0)
        serial.put(4, 0x14)
        #expect(serial.get(6) == 0x49)  // RI now; CTS and DCD changed
        serial.put(4, 0x10)
        #expect(serial.get(6) == 0x04)
    }

    @Test("without OUT2 no interrupt leaves the card")
    func gate() {
        serial.put(4, 0x03)
        serial.put(1, 0x02)
        #expect(!line.level && serial.get(2) == 0x02)
    }

    @Test("modem status interrupts until it is read")
    func modemStatus() {
        serial.put(4, 0x18)
        serial.put(4, 0x0B)
        serial.put(1, 0x08)
        #expect(line.level && serial.get(2) == 0x00)
        _ = serial.get(6)
        #expect(!line.level && serial.get(2) == 0x01)
    }

    @Test("clearing the FIFOs drops what is in them")
    func clear() {
        serial.put(2, 0x01)
        #expect(serial.get(2) & 0xC0 == 0xC0)
        _ = serial.receive([1, 2, 3])
        serial.put(2, 0x03)
        #expect(serial.get(5) & 1 == 0 && serial.inputRoom == 16)
        room.value = 0
        serial.put(0, 1)
        serial.put(2, 0x05)
        #expect(serial.get(5) & 0x60 == 0x60)
        room.value = .max
        serial.resumeOutput()
        #expect(sent.value.isEmpty)
    }
}
