// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Serial {
    enum InterruptEnable {
        static let received: UInt8 = 0x01
        static let empty: UInt8 = 0x02
        static let lineStatus: UInt8 = 0x04
        static let modemStatus: UInt8 = 0x08
    }

    enum FIFOControl {
        static let enable: UInt8 = 0x01
        static let clearReceiver: UInt8 = 0x02
        static let clearTransmitter: UInt8 = 0x04
    }

    enum ModemControl {
        static let out2: UInt8 = 0x08
        static let loopback: UInt8 = 0x10
    }

    enum LineStatus {
        static let dataReady: UInt8 = 0x01
        static let overrun: UInt8 = 0x02
        static let holdingEmpty: UInt8 = 0x20
        static let transmitterEmpty: UInt8 = 0x40
    }

    /// LCR's bit by which the first two registers are the divisor.
    private var isDivisorLatched: Bool { lineControl & 0x80 != 0 }

    func readRegister(_ register: UInt64) -> UInt8 {
        switch register {
        case 0 where isDivisorLatched: return UInt8(truncatingIfNeeded: divisor)
        case 1 where isDivisorLatched: return UInt8(truncatingIfNeeded: divisor >> 8)
        case 0: return takeReceived()
        case 1: return interruptEnable
        case 2: return takeIdentification()
        case 3: return lineControl
        case 4: return modemControl
        case 5: return takeLineStatus()
        case 6:
            defer { modemDelta = 0 }
            return modemLines | modemDelta
        default: return scratch
        }
    }

    func writeRegister(_ register: UInt64, _ value: UInt8) {
        switch register {
        case 0 where isDivisorLatched: divisor = divisor & 0xFF00 | UInt16(value)
        case 1 where isDivisorLatched: divisor = divisor & 0x00FF | UInt16(value) << 8
        case 0: transmit(value)
        case 1:
            // Asking to be told of an empty transmitter tells of one that is empty already.
            if value & ~interruptEnable & InterruptEnable.empty != 0, waiting.isEmpty { isEmptyPending = true }
            interruptEnable = value & 0x0F
        case 2: writeFIFOControl(value)
        case 3: lineControl = value
        case 4: writeModemControl(value)
        // LSR and MSR are read-only.
        case 7: scratch = value
        default: break
        }
    }

    private func takeReceived() -> UInt8 {
        guard let byte = received.first else { return 0 }
        received.removeFirst()
        if received.isEmpty, !isLoopback { onInputRoom?() }
        return byte
    }

    private func takeIdentification() -> UInt8 {
        let reason = identification
        // Reading the reason answers this one.
        if reason == 0x02 { isEmptyPending = false }
        return reason | (hasFIFO ? 0xC0 : 0)
    }

    private func takeLineStatus() -> UInt8 {
        var status: UInt8 = 0
        if !received.isEmpty { status |= LineStatus.dataReady }
        if hasOverrun { status |= LineStatus.overrun }
        if waiting.isEmpty { status |= LineStatus.holdingEmpty | LineStatus.transmitterEmpty }
        hasOverrun = false
        return status
    }

    private func writeFIFOControl(_ value: UInt8) {
        // Turning the FIFO on or off empties both.
        let isToggled = (value ^ fifoControl) & FIFOControl.enable != 0
        if isToggled || value & FIFOControl.clearReceiver != 0 {
            let hadBytes = !received.isEmpty
            received.removeAll()
            if hadBytes { onInputRoom?() }
        }
        if isToggled || value & FIFOControl.clearTransmitter != 0, !waiting.isEmpty {
            waiting.removeAll()
            isEmptyPending = true
        }
        fifoControl = value & FIFOControl.enable != 0 ? value & 0xC1 : 0
    }

    /// The four inputs: of a line whose other end is always ready, or of the own outputs in loopback.
    private var modemLines: UInt8 {
        guard isLoopback else { return 0xB0 }
        let control = modemControl
        return (control & 0x02) << 3 | (control & 0x01) << 5 | (control & 0x04) << 4 | (control & 0x08) << 4
    }

    private func writeModemControl(_ value: UInt8) {
        let before = modemLines
        let wasLoopback = isLoopback
        modemControl = value & 0x1F
        let changed = before ^ modemLines
        // Of the ring indicator only its end is told.
        modemDelta |= (changed & 0xB0) >> 4 | (before & ~modemLines & 0x40) >> 4
        if wasLoopback, !isLoopback, received.isEmpty { onInputRoom?() }
    }
}
