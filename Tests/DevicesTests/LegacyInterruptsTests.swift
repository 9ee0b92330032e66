// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestRandom
import Testing

@testable import Devices

@Suite("8259A pair")
struct LegacyInterruptsTests {
    let line = RecordingLine()
    let chips: LegacyInterrupts

    init() { chips = LegacyInterrupts(output: line) }

    /// What PC firmware and Linux write, with vectors 0x30 and 0x38.
    func initialise(automatic: Bool = false) {
        for (ports, base, cascade) in [(chips.firstPorts, 0x30, 4), (chips.secondPorts, 0x38, 2)]
            as [(any BusDevice, UInt8, UInt8)]
        {
            ports.put(0, 0x11)
            ports.put(1, base)
            ports.put(1, cascade)
            ports.put(1, automatic ? 3 : 1)
        }
    }

    @Test("masked at first; a mask reads back, which is how Linux finds it")
    func probe() {
        #expect(chips.firstPorts.get(1) == 0xFF && chips.secondPorts.get(1) == 0xFF)
        chips.firstPorts.put(1, 0xFB)
        #expect(chips.firstPorts.get(1) == 0xFB)
        chips.input(4).set(true)
        #expect(!line.level)
    }

    @Test("vectors by priority, each after the end of the one before")
    func priorities() {
        initialise()
        for number in [5, 1, 12, 8] { chips.input(number).set(true) }
        #expect(line.level && chips.acknowledge() == 0x31 && !line.level)
        chips.firstPorts.put(0, 0x0B)
        #expect(chips.firstPorts.get(0) == 0x02)
        chips.firstPorts.put(0, 0x20)
        #expect(line.level && chips.acknowledge() == 0x38)
        chips.secondPorts.put(0, 0x20)
        chips.firstPorts.put(0, 0x20)
        #expect(line.level && chips.acknowledge() == 0x3C)
        chips.secondPorts.put(0, 0x64)
        chips.firstPorts.put(0, 0x62)
        #expect(line.level && chips.acknowledge() == 0x35)
        chips.firstPorts.put(0, 0x20)
        #expect(!line.level)
    }

    @Test("what is more urgent interrupts what is in service, on the second one too")
    func nesting() {
        initialise()
        chips.input(6).set(true)
        #expect(chips.acknowledge() == 0x36)
        chips.input(7).set(true)
        #expect(!line.level)
        chips.input(0).set(true)
        #expect(line.level && chips.acknowledge() == 0x30)
        for _ in 0..<2 { chips.firstPorts.put(0, 0x20) }
        #expect(chips.acknowledge() == 0x37)
        chips.firstPorts.put(0, 0x20)
        chips.input(9).set(true)
        chips.input(8).set(true)
        #expect(chips.acknowledge() == 0x38)
        chips.firstPorts.put(0, 0x20)
        chips.secondPorts.put(0, 0x20)
        #expect(chips.acknowledge() == 0x39)
    }

    @Test("an edge that goes away is spurious; a level comes again")
    func triggers() {
        initialise()
        chips.input(5).set(true)
        chips.input(5).set(false)
        #expect(!line.level && chips.acknowledge() == 0x37)
        chips.triggerPorts.put(0, 0xFF)
        chips.triggerPorts.put(1, 0xFF)
        #expect(chips.triggerPorts.get(0) == 0xF8 && chips.triggerPorts.get(1) == 0xDE)
        chips.input(5).set(true)
        for _ in 0..<3 {
            #expect(chips.acknowledge() == 0x35)
            chips.firstPorts.put(0, 0x20)
            #expect(line.level)
        }
        chips.input(5).set(false)
        #expect(!line.level)
    }

    @Test("automatic ends and polling")
    func automaticEnd() {
        initialise(automatic: true)
        chips.input(3).set(true)
        #expect(chips.acknowledge() == 0x33)
        chips.input(4).set(true)
        chips.firstPorts.put(0, 0x0C)
        #expect(chips.firstPorts.get(0) == 0x84 && !line.level)
        chips.firstPorts.put(0, 0x0C)
        #expect(chips.firstPorts.get(0) == 0x00)
    }

    @Test("any writes leave a chip that can be initialised and works")
    func hostile() {
        var random = Random(seed: 5)
        for _ in 0..<20_000 {
            let ports = random.pick([chips.firstPorts, chips.secondPorts, chips.triggerPorts])
            switch random.below(4) {
            case 0: ports.put(random.below(3), random.byte())
            case 1: _ = ports.get(random.below(3))
            case 2: chips.input(random.below(16)).set(random.oneIn(2))
            default: _ = chips.acknowledge()
            }
        }
        for number in 0..<16 { chips.input(number).set(false) }
        chips.triggerPorts.write(offset: 0, size: 2, value: 0)
        initialise()
        #expect(!line.level)
        chips.input(14).set(true)
        #expect(line.level && chips.acknowledge() == 0x3E)
    }
}
