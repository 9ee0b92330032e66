// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A 16550A at eight ports: a FIFO of 16 bytes each way, and no time: a byte that the sink takes is sent at once.
///
/// Source: the PC16550D's data sheet. The interrupt output passes the gate of MCR's OUT2, as on a PC's card.
public final class Serial: ByteDevice {
    /// Bytes that a FIFO holds.
    static let depth = 16

    private let interrupt: any InterruptLine
    private let sink: (UInt8) -> Bool
    /// Called when the guest has read what was there, so that more can be given to `receive`.
    public var onInputRoom: (() -> Void)?

    var received = ByteFIFO(capacity: Serial.depth)
    var waiting = ByteFIFO(capacity: Serial.depth)
    var interruptEnable: UInt8 = 0
    var fifoControl: UInt8 = 0
    var lineControl: UInt8 = 0
    var modemControl: UInt8 = 0
    var modemDelta: UInt8 = 0
    var scratch: UInt8 = 0
    /// 115,200 over it is the speed, which nothing here depends on.
    var divisor: UInt16 = 12
    var hasOverrun = false
    /// The transmitter became empty and nobody has been told yet.
    var isEmptyPending = false
    private var isAsserted = false

    /// - Parameter sink: takes a byte that the guest sends; false if it can't now, after which `resumeOutput` says when it can.
    public init(interrupt: any InterruptLine, sink: @escaping (UInt8) -> Bool) {
        self.interrupt = interrupt
        self.sink = sink
    }

    var hasFIFO: Bool { fifoControl & FIFOControl.enable != 0 }
    var isLoopback: Bool { modemControl & ModemControl.loopback != 0 }

    /// How many bytes `receive` would take.
    public var inputRoom: Int { isLoopback ? 0 : (hasFIFO ? Self.depth : 1) - received.count }

    /// Bytes from outside. Returns how many of them fit; the rest is to be offered again after `onInputRoom`.
    public func receive(_ bytes: some Sequence<UInt8>) -> Int {
        var taken = 0
        for byte in bytes {
            guard inputRoom > 0 else { break }
            received.append(byte)
            taken += 1
        }
        updateInterrupt()
        return taken
    }

    /// The sink has room again.
    public func resumeOutput() {
        drain()
        updateInterrupt()
    }

    func transmit(_ byte: UInt8) {
        isEmptyPending = false
        if isLoopback {
            if received.count < (hasFIFO ? Self.depth : 1) { received.append(byte) } else { hasOverrun = true }
            isEmptyPending = true
        } else if waiting.count < (hasFIFO ? Self.depth : 1) {
            // What is written to a full transmitter is lost, as in hardware: the driver was to look at LSR.
            waiting.append(byte)
            drain()
        }
    }

    private func drain() {
        guard !waiting.isEmpty else { return }
        while let byte = waiting.first, sink(byte) { waiting.removeFirst() }
        if waiting.isEmpty { isEmptyPending = true }
    }

    /// IIR without the FIFO's bits: the most urgent reason. Data sheet, table IV
    var identification: UInt8 {
        if interruptEnable & InterruptEnable.lineStatus != 0, hasOverrun { return 0x06 }
        if interruptEnable & InterruptEnable.received != 0, !received.isEmpty {
            // Below the trigger it is the time-out of four characters, which here has always passed.
            return received.count >= trigger ? 0x04 : 0x0C
        }
        if interruptEnable & InterruptEnable.empty != 0, isEmptyPending { return 0x02 }
        if interruptEnable & InterruptEnable.modemStatus != 0, modemDelta != 0 { return 0x00 }
        return 0x01
    }

    private var trigger: Int { hasFIFO ? [1, 4, 8, 14][Int(fifoControl >> 6)] : 1 }

    func updateInterrupt() {
        let isPending = identification & 1 == 0
        let level = isPending && modemControl & ModemControl.out2 != 0 && !isLoopback
        guard level != isAsserted else { return }
        isAsserted = level
        interrupt.set(level)
    }

    func readByte(_ offset: UInt64) -> UInt8 {
        let value = readRegister(offset & 7)
        updateInterrupt()
        return value
    }

    func writeByte(_ offset: UInt64, _ value: UInt8) {
        writeRegister(offset & 7, value)
        updateInterrupt()
    }
}
