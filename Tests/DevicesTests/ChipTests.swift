// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Devices

@Suite("i8042, power and reset")
struct PowerTests {
    @Test("the keyboard controller passes its tests, has no keyboard, and resets")
    func keyboardController() {
        let (line, resets) = (RecordingLine(), Box(0))
        let chip = KeyboardController(interrupt: line) { resets.value += 1 }
        func command(_ value: UInt8, _ data: UInt8? = nil) -> UInt8? {
            chip.put(4, value)
            if let data { chip.put(0, data) }
            return chip.get(4) & 1 == 1 ? chip.get(0) : nil
        }
        #expect(chip.get(4) & 0x03 == 0)
        #expect(command(0xAA) == 0x55)
        #expect(command(0xAB) == 0x00)
        #expect(command(0xA9) == 0x01)
        #expect(command(0x60, 0x45) == nil)
        #expect(command(0x20) == 0x45)
        #expect(line.edges == 1 && !line.level)
        // Whatever it is told, there is no keyboard.
        chip.put(0, 0xF2)
        #expect(chip.get(4) & 0x41 == 0x41 && line.level && chip.get(0) == 0xFE && chip.get(4) & 0x41 == 0)
        #expect(command(0xD3, 0x5A) != 0x5A)
        #expect(command(0xD1, 0x03) == nil && resets.value == 0)
        #expect(command(0xFE) == nil && resets.value == 1)
        #expect(command(0xD1, 0x02) == nil && resets.value == 2)
        #expect(command(0xFF) == nil && resets.value == 2)
    }

    @Test("port 0x61 keeps its low bits, its clock runs, its timer has expired")
    func portB() {
        let chip = KeyboardController(interrupt: RecordingLine()) {}
        chip.put(1, 0xF3)
        let (first, second) = (chip.get(1), chip.get(1))
        #expect(first & 0x2F == 0x23 && first ^ second == 0x10)
    }

    @Test("only sleep type 5 with SLP_EN is the end, only the reset value a reset")
    func power() {
        let ends = Box("")
        let chip = PowerControl(onPowerOff: { ends.value += "off " }, onReset: { ends.value += "reset " })
        for value in 0...255 { chip.put(2, UInt8(value)) }
        #expect(ends.value == "reset ")
        ends.value = ""
        for value in [0x00, 0x14, 0x20, 0x38] { chip.put(0, UInt8(value)) }
        chip.put(1, 0x34)
        chip.put(3, 0x34)
        #expect(ends.value == "" && chip.read(offset: 0, size: 4) == 0)
        chip.put(0, 0x34)
        #expect(ends.value == "off ")
    }

    @Test("port 0xCF9 resets when bit 2 goes up")
    func resetControl() {
        let resets = Box(0)
        let chip = ResetControl { resets.value += 1 }
        chip.put(0, 0x02)
        #expect(resets.value == 0 && chip.get(0) == 0x02)
        chip.put(0, 0x06)
        chip.put(0, 0x06)
        #expect(resets.value == 1)
        chip.put(0, 0x00)
        chip.put(0, 0x0E)
        #expect(resets.value == 2)
    }
}

@Suite("MC146818")
struct RealTimeClockTests {
    let clock = Box<Int64>(951_782_399)  // 2000-02-28 23:59:59, a Monday
    let chip: RealTimeClock

    init() {
        chip = RealTimeClock(memoryBelow4G: 0xC000_0000, memoryAbove4G: 0x1_4000_0000) { [clock] in clock.value }
    }

    func get(_ register: UInt8) -> UInt8 {
        chip.put(0, register)
        return chip.get(1)
    }
    func put(_ register: UInt8, _ value: UInt8) {
        chip.put(0, register)
        chip.put(1, value)
    }
    var date: [UInt8] { [0x32, 9, 8, 7, 4, 2, 0].map(get) }

    @Test("the clock's time in BCD, with a leap day")
    func time() {
        #expect(date == [0x20, 0x00, 0x02, 0x28, 0x23, 0x59, 0x59] && get(6) == 2)
        clock.value += 1
        #expect(date == [0x20, 0x00, 0x02, 0x29, 0x00, 0x00, 0x00] && get(6) == 3)
        #expect(get(0x0A) & 0x80 == 0 && get(0x0C) == 0 && get(0x0D) == 0x80)
    }

    @Test("binary, and with twelve hours")
    func formats() {
        put(0x0B, 0x04)
        #expect(date == [20, 0, 2, 28, 11 | 0x80, 59, 59])
        clock.value += 3600
        #expect(get(4) == 12)
        put(4, 1 | 0x80)
        #expect(get(4) == 1 | 0x80)
        put(0x0B, 0x06)
        #expect(get(4) == 13)
    }

    @Test("a time that is set runs on from there, and no value is too odd")
    func set() {
        put(0x0B, 0x82)
        for (register, value) in [(0x32, 0x19), (9, 0x99), (8, 0x12), (7, 0x31), (4, 0x23), (2, 0x59), (0, 0x58)] {
            put(UInt8(register), UInt8(value))
        }
        clock.value += 100
        #expect(date == [0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58])
        put(0x0B, 0x02)
        clock.value += 2
        #expect(date == [0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00])
        for value in 0...255 {
            for register in [0, 2, 4, 6, 7, 8, 9, 0x32, 0x0B, 0x0A] {
                put(UInt8(register), UInt8(value))
                _ = date
            }
        }
        clock.value = .max
        _ = date
        clock.value = .min
        _ = date
    }

    @Test("memory sizes are where old software looks for them; the rest is kept")
    func memory() {
        func number(_ register: UInt8, _ count: Int) -> Int {
            (0..<count).reduce(0) { $0 | Int(get(register + UInt8($1))) << (8 * $1) }
        }
        #expect(number(0x15, 2) == 640 && number(0x17, 2) == 0xFFFF && number(0x30, 2) == 0xFFFF)
        #expect(number(0x34, 2) << 16 == 0xC000_0000 - 0x100_0000)
        #expect(number(0x5B, 3) << 16 == 0x1_4000_0000)
        put(0x8F, 0xA5)
        #expect(get(0x0F) == 0xA5)
    }

    @Test("dates and seconds are each other's inverse over 400 years and more")
    func civil() {
        var previous = CivilTime(secondsSince1970: -86_400)
        // One expectation a day would take most of the time.
        var wrong: [Int64] = []
        for day in Int64(0)...150_000 {
            let time = CivilTime(secondsSince1970: day * 86_400 + 3_661)
            let isNext =
                time.day == previous.day + 1 || time.day == 1 && (time.month == previous.month + 1 || time.month == 1)
            if time.secondsSince1970 != day * 86_400 + 3_661 || (time.hour, time.minute, time.second) != (1, 1, 1)
                || time.weekday != (previous.weekday + 1) % 7 || !isNext
            {
                wrong.append(day)
            }
            previous = time
        }
        #expect(wrong.isEmpty)
        #expect(previous.year == 2380)
    }
}
