// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The MC146818 with its 128 bytes of battery-backed memory, at ports 0x70 (index) and 0x71 (data). Its interrupt is not connected.
///
/// The time is the given clock's, plus what the guest made it differ by setting it.
public final class RealTimeClock: ByteDevice {
    private let clock: () -> Int64
    private var index = 0
    private var memory = [UInt8](repeating: 0, count: 128)
    /// Seconds by which the guest's time is ahead of the host's.
    private var ahead: Int64 = 0
    /// The time being set while register B's SET bit stops the clock.
    private var stopped: CivilTime?

    private enum Register {
        static let times: Set<Int> = [0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32]
        static let (a, b, c, d) = (0x0A, 0x0B, 0x0C, 0x0D)
    }
    private static let (set, binary, hours24) = (UInt8(0x80), UInt8(0x04), UInt8(0x02))

    /// - Parameters:
    ///   - clock: seconds since 1970, UTC.
    ///   - memoryBelow4G: bytes of guest memory from address 0 on, which old software finds in here.
    ///   - memoryAbove4G: bytes from 4 GiB on.
    public init(memoryBelow4G: UInt64, memoryAbove4G: UInt64, clock: @escaping () -> Int64) {
        self.clock = clock
        memory[Register.a] = 0x26  // 32,768 Hz, 1,024 Hz
        memory[Register.b] = Self.hours24
        let kibibytes = min(memoryBelow4G >> 10, 640)
        let extended = memoryBelow4G > 1 << 20 ? min((memoryBelow4G >> 10) - 1024, 0xFFFF) : 0
        let above16M = memoryBelow4G > 16 << 20 ? min((memoryBelow4G - 16 << 20) >> 16, 0xFFFF) : 0
        let above4G = min(memoryAbove4G >> 16, 0xFF_FFFF)
        put(kibibytes, at: 0x15, count: 2)
        put(extended, at: 0x17, count: 2)
        put(extended, at: 0x30, count: 2)
        put(above16M, at: 0x34, count: 2)
        put(above4G, at: 0x5B, count: 3)
    }

    private func put(_ value: UInt64, at index: Int, count: Int) {
        for byte in 0..<count { memory[index + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
    }

    func readByte(_ offset: UInt64) -> UInt8 {
        // The index is write-only on most chip sets.
        guard offset == 1 else { return 0xFF }
        switch index {
        case _ where Register.times.contains(index): return encode(index, now)
        // Never "update in progress": a reading is of one moment.
        case Register.a: return memory[Register.a] & 0x7F
        case Register.c: return 0
        case Register.d: return 0x80  // the battery is good
        default: return memory[index]
        }
    }

    func writeByte(_ offset: UInt64, _ value: UInt8) {
        if offset == 0 { index = Int(value & 0x7F) }
        guard offset == 1 else { return }
        switch index {
        case _ where Register.times.contains(index):
            var time = now
            decode(index, value, &time)
            commit(time)
        case Register.b:
            let time = now
            stopped = value & Self.set != 0 ? time : nil
            memory[Register.b] = value
            commit(time)
        case Register.c, Register.d: break
        default: memory[index] = value
        }
    }

    private var now: CivilTime { stopped ?? CivilTime(secondsSince1970: clock() &+ ahead) }

    private func commit(_ time: CivilTime) {
        if stopped != nil { stopped = time } else { ahead = time.secondsSince1970 &- clock() }
    }

    private func encode(_ register: Int, _ time: CivilTime) -> UInt8 {
        switch register {
        case 0x00: return number(time.second)
        case 0x02: return number(time.minute)
        case 0x04:
            guard memory[Register.b] & Self.hours24 == 0 else { return number(time.hour) }
            return number((time.hour + 11) % 12 + 1) | (time.hour >= 12 ? 0x80 : 0)
        case 0x06: return number(time.weekday + 1)
        case 0x07: return number(time.day)
        case 0x08: return number(time.month)
        case 0x09: return number(time.year % 100)
        default: return number(time.year / 100)
        }
    }

    private func decode(_ register: Int, _ value: UInt8, _ time: inout CivilTime) {
        switch register {
        case 0x00: time.second = plain(value)
        case 0x02: time.minute = plain(value)
        case 0x04:
            guard memory[Register.b] & Self.hours24 == 0 else {
                time.hour = plain(value)
                return
            }
            time.hour = plain(value & 0x7F) % 12 + (value & 0x80 != 0 ? 12 : 0)
        case 0x07: time.day = plain(value)
        case 0x08: time.month = plain(value)
        case 0x09: time.year = time.year / 100 * 100 + plain(value)
        case 0x32: time.year = plain(value) * 100 + time.year % 100
        // The day of the week follows from the date.
        default: break
        }
    }

    private var isBinary: Bool { memory[Register.b] & Self.binary != 0 }
    private func number(_ value: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: isBinary ? value : (value / 10 % 10) << 4 | value % 10)
    }
    private func plain(_ value: UInt8) -> Int { isBinary ? Int(value) : Int(value >> 4) * 10 + Int(value & 0x0F) }
}
