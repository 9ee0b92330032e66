// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The i8042 at ports 0x60...0x64, with no keyboard and no mouse: it passes its self test, and resets the machine.
///
/// A byte for a keyboard is answered as by a controller whose keyboard does not: 0xFE with the time-out bit, at once, so that no driver
/// waits. Port 0x61 (system control port B) is in the same range and here too.
public final class KeyboardController: ByteDevice {
    private let interrupt: any InterruptLine
    private let onReset: () -> Void

    /// What port 0x60 gives, and whether it was given already.
    private var output: UInt8 = 0
    private var isOutputFull = false
    private var isTimeout = false
    private var isAsserted = false
    /// Whether the last write was to the command port.
    private var wasCommand = false
    /// The command that takes the next byte at port 0x60.
    private var command: UInt8?
    /// System flag, second port off, translation.
    private var configuration: UInt8 = 0x64
    private var portB: UInt8 = 0

    /// - Parameter onReset: the guest pulses the processor's reset line.
    public init(interrupt: any InterruptLine, onReset: @escaping () -> Void) {
        self.interrupt = interrupt
        self.onReset = onReset
    }

    func readByte(_ offset: UInt64) -> UInt8 {
        switch offset {
        case 0:
            isOutputFull = false
            isTimeout = false
            updateInterrupt()
            return output
        case 1:
            // Bit 4 is the refresh clock, which software waits on; bit 5 the output of a timer that has long expired.
            portB ^= 0x10
            return portB | 0x20
        case 4:
            // Not locked; system flag; no input is ever left lying.
            return 0x10 | configuration & 0x04 | (isOutputFull ? 0x01 : 0) | (wasCommand ? 0x08 : 0)
                | (isTimeout ? 0x40 : 0)
        default: return 0xFF
        }
    }

    func writeByte(_ offset: UInt64, _ value: UInt8) {
        switch offset {
        case 0:
            wasCommand = false
            if let command { finish(command, value) } else { answer(0xFE, isTimeout: true) }
            command = nil
        case 1: portB = portB & 0x10 | value & 0x0F
        case 4:
            wasCommand = true
            run(value)
        default: break
        }
    }

    private func run(_ value: UInt8) {
        command = nil
        switch value {
        case 0x20...0x3F: answer(value == 0x20 ? configuration : 0)
        case 0x60...0x7F, 0xD1, 0xD2, 0xD3, 0xD4: command = value
        case 0xA9: answer(0x01)  // the second port's clock line is stuck: there is none
        case 0xAA: answer(0x55)
        case 0xAB: answer(0x00)
        case 0xAD: configuration |= 0x10
        case 0xAE: configuration &= ~0x10
        case 0xA1: answer(0x00)
        case 0xC0: answer(0x80)  // not locked
        case 0xD0: answer(0x03 | (isOutputFull ? 0x10 : 0))
        case 0xF0...0xFF:
            // Pulses the output lines whose bit is clear; the lowest is the reset.
            if value & 1 == 0 { onReset() }
        default: break
        }
    }

    private func finish(_ command: UInt8, _ value: UInt8) {
        switch command {
        case 0x60:
            configuration = value & 0x7F
            updateInterrupt()
        case 0xD1: if value & 1 == 0 { onReset() }
        case 0xD2: answer(value)
        // What is to come back from the second port or from its mouse can't.
        case 0xD3: answer(0xFF)
        case 0xD4: answer(0xFE, isTimeout: true)
        default: break
        }
    }

    private func answer(_ value: UInt8, isTimeout: Bool = false) {
        output = value
        isOutputFull = true
        self.isTimeout = isTimeout
        updateInterrupt()
    }

    private func updateInterrupt() {
        let level = isOutputFull && configuration & 0x01 != 0
        guard level != isAsserted else { return }
        isAsserted = level
        interrupt.set(level)
    }
}
