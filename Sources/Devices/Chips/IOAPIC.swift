// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The I/O APIC: 24 inputs, each with a redirection entry that makes a message of it. At 0xFEC00000 in a PC.
///
/// Source: the 82093AA's data sheet; version 0x20 of it adds the EOI register. An input is "active" or not: the entry's polarity is kept
/// and means nothing.
public final class IOAPIC: BusDevice {
    /// Where it is, unless a machine says otherwise, and how many bytes it answers for.
    public static let (address, size): (UInt64, UInt64) = (0xFEC0_0000, 0x1000)
    public static let pinCount = 24

    private let sink: any MessageSink
    /// Called after the guest changed an entry, for who has told the kernel of `routes`.
    public var onRouteChange: (() -> Void)?

    private var entries = [RedirectionEntry](repeating: RedirectionEntry(), count: IOAPIC.pinCount)
    private var levels = [Bool](repeating: false, count: IOAPIC.pinCount)
    private var selected: UInt8 = 0
    private var identifier: UInt8
    /// The inputs, to give to devices.
    private var inputs: [Input] = []

    /// - Parameter identifier: its APIC ID, which the MADT names too.
    public init(identifier: UInt8 = 0, sink: any MessageSink) {
        self.identifier = identifier & 0x0F
        self.sink = sink
        inputs = (0..<Self.pinCount).map { Input(self, $0) }
    }

    /// The line that a device on an input drives.
    ///
    /// - Parameter pin: the global interrupt's number, below `pinCount`.
    public func input(_ pin: Int) -> any InterruptLine { inputs[pin] }

    /// What an input's messages are now, for KVM_SET_GSI_ROUTING: one entry a pin, GSI by GSI.
    public var routes: [Route] {
        entries.enumerated().map { pin, entry in
            Route(
                gsi: UInt32(pin), address: entry.messageAddress, data: entry.messageData, isMasked: entry.isMasked,
                isLevel: entry.isLevel)
        }
    }

    /// A route of the kernel's for one global interrupt.
    public struct Route: Equatable, Sendable {
        public let gsi: UInt32
        public let address: UInt64
        public let data: UInt32
        /// No message is sent for it now.
        public let isMasked: Bool
        /// Its EOI is waited for.
        public let isLevel: Bool
    }

    /// A processor has ended an interrupt with this vector: what KVM_EXIT_IOAPIC_EOI tells.
    public func endOfInterrupt(vector: UInt8) {
        for pin in 0..<Self.pinCount
        where entries[pin].vector == vector && entries[pin].isLevel && entries[pin].remoteIRR {
            entries[pin].remoteIRR = false
            service(pin)
        }
    }

    private func drive(_ pin: Int, _ level: Bool) {
        let isRising = level && !levels[pin]
        levels[pin] = level
        // An edge on a masked input is lost.
        if entries[pin].isLevel ? level : isRising { service(pin) }
    }

    private func service(_ pin: Int) {
        let entry = entries[pin]
        guard !entry.isMasked else { return }
        if entry.isLevel {
            guard levels[pin], !entry.remoteIRR else { return }
            entries[pin].remoteIRR = true
        }
        sink.send(address: entry.messageAddress, data: entry.messageData)
    }

    public func read(offset: UInt64, size: Int) -> UInt64 {
        // Registers are 32 bits wide, at multiples of 16 bytes.
        switch offset {
        case 0x00: return UInt64(selected)
        case 0x10: return UInt64(readRegister())
        default: return 0
        }
    }

    public func write(offset: UInt64, size: Int, value: UInt64) {
        switch offset {
        case 0x00: selected = UInt8(truncatingIfNeeded: value)
        case 0x10: writeRegister(UInt32(truncatingIfNeeded: value))
        case 0x40: endOfInterrupt(vector: UInt8(truncatingIfNeeded: value))
        default: break
        }
    }

    private func readRegister() -> UInt32 {
        switch selected {
        case 0x00, 0x02: return UInt32(identifier) << 24
        case 0x01: return UInt32(Self.pinCount - 1) << 16 | 0x20
        case 0x10..<0x10 + UInt8(2 * Self.pinCount):
            let entry = entries[Int(selected - 0x10) / 2].rawValue
            return UInt32(truncatingIfNeeded: selected & 1 == 0 ? entry : entry >> 32)
        default: return 0
        }
    }

    private func writeRegister(_ value: UInt32) {
        switch selected {
        case 0x00: identifier = UInt8(truncatingIfNeeded: value >> 24 & 0x0F)
        case 0x10..<0x10 + UInt8(2 * Self.pinCount):
            let pin = Int(selected - 0x10) / 2
            let before = entries[pin]
            entries[pin].write(half: Int(selected & 1), value)
            // A level that nobody took, as it was masked or in service elsewhere, is taken now.
            if entries[pin].isLevel { service(pin) }
            if entries[pin].isRoutedElsewhere(than: before) { onRouteChange?() }
        default: break
        }
    }

    private final class Input: InterruptLine {
        // The chip owns its inputs; devices must not use one that outlives it.
        private weak var chip: IOAPIC?
        private let pin: Int

        init(_ chip: IOAPIC, _ pin: Int) {
            self.chip = chip
            self.pin = pin
        }

        func set(_ level: Bool) { chip?.drive(pin, level) }
    }
}
