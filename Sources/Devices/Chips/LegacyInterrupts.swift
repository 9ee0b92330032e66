// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A PC's two 8259A, the second one on the first one's input 2, and the ports that say which inputs are level-triggered.
public final class LegacyInterrupts {
    private let first = InterruptController(isMaster: true)
    private let second = InterruptController(isMaster: false)
    private let output: any InterruptLine
    private var isAsserted = false
    private var inputs: [Input] = []

    /// At port 0x20, 0xA0 and 0x4D0, two ports each.
    public private(set) lazy var firstPorts: any BusDevice = Ports(self, first)
    public private(set) lazy var secondPorts: any BusDevice = Ports(self, second)
    public private(set) lazy var triggerPorts: any BusDevice = TriggerPorts(self)

    /// - Parameter output: INTR: LINT0 of the first processor. Who delivers it asks `acknowledge` for the vector.
    public init(output: any InterruptLine) {
        self.output = output
        inputs = (0..<16).map { Input(self, UInt8($0)) }
    }

    /// The line of IRQ 0...15. Number 2 is the second controller's and goes nowhere.
    public func input(_ number: Int) -> any InterruptLine { inputs[number] }

    /// Whether INTR is up.
    public var isPending: Bool { first.pending != nil }

    /// The processor takes the interrupt: its vector.
    public func acknowledge() -> UInt8 {
        defer { update() }
        let input = first.acknowledge()
        guard input == 2 else { return first.vector(input) }
        let vector = second.vector(second.acknowledge())
        // What else it has is a new edge.
        first.set(2, false)
        return vector
    }

    private func drive(_ number: UInt8, _ level: Bool) {
        if number >= 8 { second.set(number - 8, level) } else if number != 2 { first.set(number, level) }
        update()
    }

    private func update() {
        // Between two interrupts of the second one its output goes down, which makes the next one's edge.
        if second.pending == nil { first.set(2, false) } else { first.set(2, true) }
        guard isPending != isAsserted else { return }
        isAsserted = isPending
        output.set(isAsserted)
    }

    private final class Input: InterruptLine {
        private weak var chips: LegacyInterrupts?
        private let number: UInt8

        init(_ chips: LegacyInterrupts, _ number: UInt8) {
            self.chips = chips
            self.number = number
        }

        func set(_ level: Bool) { chips?.drive(number, level) }
    }

    private final class Ports: ByteDevice {
        private weak var chips: LegacyInterrupts?
        private let controller: InterruptController

        init(_ chips: LegacyInterrupts, _ controller: InterruptController) {
            self.chips = chips
            self.controller = controller
        }

        func readByte(_ offset: UInt64) -> UInt8 {
            defer { chips?.update() }
            return offset < 2 ? controller.read(offset) : 0xFF
        }

        func writeByte(_ offset: UInt64, _ value: UInt8) {
            guard offset < 2 else { return }
            controller.write(offset, value)
            // The second one's request is taken away for a moment by what it was just told.
            chips?.first.set(2, false)
            chips?.update()
        }
    }

    /// ELCR. Inputs 0, 1, 2, 8 and 13 are always edges.
    private final class TriggerPorts: ByteDevice {
        private weak var chips: LegacyInterrupts?
        init(_ chips: LegacyInterrupts) { self.chips = chips }

        func readByte(_ offset: UInt64) -> UInt8 {
            guard let chips, offset < 2 else { return 0xFF }
            return offset == 0 ? chips.first.levelTriggered : chips.second.levelTriggered
        }

        func writeByte(_ offset: UInt64, _ value: UInt8) {
            switch offset {
            case 0: chips?.first.levelTriggered = value & 0xF8
            case 1: chips?.second.levelTriggered = value & 0xDE
            default: break
            }
        }
    }
}
