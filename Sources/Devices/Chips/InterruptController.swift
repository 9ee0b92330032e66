// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// One 8259A. Two of them, cascaded, are a PC's (`LegacyInterrupts`). It starts with every input masked, as firmware leaves it.
///
/// Source: the 8259A's data sheet. Not done: buffered mode and the MCS-80's vectors, which no PC uses; automatic rotation is.
final class InterruptController {
    /// Input 2 of the first one has the second one.
    private let isMaster: Bool
    private var requested: UInt8 = 0
    private var inService: UInt8 = 0
    private(set) var mask: UInt8 = 0xFF
    private var levels: UInt8 = 0
    /// ELCR: inputs that are level-triggered.
    var levelTriggered: UInt8 = 0
    private var vectorBase: UInt8 = 0
    /// The next initialisation word at the second port: 2, 3 or 4, or 0.
    private var nextWord = 0
    private var needsFourth = false
    private var endsAutomatically = false
    private var rotatesAutomatically = false
    private var readsInService = false
    private var isPolled = false
    private var hasSpecialMask = false
    private var isFullyNested = false
    /// The input with the lowest priority.
    private var lowest: UInt8 = 7

    init(isMaster: Bool) { self.isMaster = isMaster }

    func set(_ input: UInt8, _ level: Bool) {
        let bit = UInt8(1) << input
        if levelTriggered & bit != 0 {
            requested = level ? requested | bit : requested & ~bit
        } else if level {
            if levels & bit == 0 { requested |= bit }
        } else {
            // An edge must stay up until it is acknowledged.
            requested &= ~bit
        }
        levels = level ? levels | bit : levels & ~bit
    }

    /// The input that asks for the processor now.
    var pending: UInt8? {
        let candidates = requested & ~mask
        guard candidates != 0 else { return nil }
        for step in 1...8 {
            let input = (lowest &+ UInt8(step)) & 7
            let bit = UInt8(1) << input
            let isSlave = isMaster && input == 2
            if candidates & bit != 0, inService & bit == 0 || (isFullyNested && isSlave) { return input }
            // What is in service keeps out what is less urgent, unless it is masked in special mask mode.
            if inService & bit != 0, !(hasSpecialMask && mask & bit != 0) { return nil }
        }
        return nil
    }

    /// The processor takes the interrupt: its input, 7 for one that went away meanwhile.
    func acknowledge() -> UInt8 {
        guard let input = pending else { return 7 }
        let bit = UInt8(1) << input
        if levelTriggered & bit == 0 { requested &= ~bit }
        if endsAutomatically {
            if rotatesAutomatically { lowest = input }
        } else {
            inService |= bit
        }
        return input
    }

    func vector(_ input: UInt8) -> UInt8 { vectorBase | input }

    func read(_ port: UInt64) -> UInt8 {
        if isPolled {
            isPolled = false
            guard pending != nil else { return 0 }
            return 0x80 | acknowledge()
        }
        return port == 0 ? (readsInService ? inService : requested) : mask
    }

    func write(_ port: UInt64, _ value: UInt8) {
        if port != 0 { return writeSecond(value) }
        switch value {
        case _ where value & 0x10 != 0: initialise(value)
        case _ where value & 0x08 != 0:
            if value & 0x04 != 0 { isPolled = true }
            if value & 0x02 != 0 { readsInService = value & 0x01 != 0 }
            if value & 0x40 != 0 { hasSpecialMask = value & 0x20 != 0 }
        default: end(value)
        }
    }

    private func initialise(_ value: UInt8) {
        (requested, inService, mask, lowest) = (requested & levelTriggered, 0, 0, 7)
        (endsAutomatically, rotatesAutomatically, readsInService, isPolled) = (false, false, false, false)
        (hasSpecialMask, isFullyNested) = (false, false)
        needsFourth = value & 0x01 != 0
        nextWord = 2
    }

    private func writeSecond(_ value: UInt8) {
        switch nextWord {
        case 2:
            vectorBase = value & 0xF8
            nextWord = 3
        // Which input has the other controller is how the machine is wired, whatever software says.
        case 3: nextWord = needsFourth ? 4 : 0
        case 4:
            isFullyNested = value & 0x10 != 0
            endsAutomatically = value & 0x02 != 0
            nextWord = 0
        default: mask = value
        }
    }

    /// OCW2: ends of interrupts, and rotation.
    private func end(_ value: UInt8) {
        let named = value & 0x07
        switch value >> 5 {
        case 0b000: rotatesAutomatically = false
        case 0b100: rotatesAutomatically = true
        case 0b001, 0b101:
            guard let input = mostUrgentInService else { return }
            inService &= ~(UInt8(1) << input)
            if value >> 5 == 0b101 { lowest = input }
        case 0b011, 0b111:
            inService &= ~(UInt8(1) << named)
            if value >> 5 == 0b111 { lowest = named }
        case 0b110: lowest = named
        default: break
        }
    }

    private var mostUrgentInService: UInt8? {
        (1...8).map { (lowest &+ UInt8($0)) & 7 }.first {
            inService & UInt8(1) << $0 != 0 && !(hasSpecialMask && mask & UInt8(1) << $0 != 0)
        }
    }
}
