// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// The four breakpoints' kinds in DR7: 0 instruction, 1 write, 2 I/O, 3 read or write.
    private func breakpointKind(_ number: Int) -> UInt64 { debugRegisters[7] >> UInt64(16 + 4 * number) & 3 }
    private func breakpointLength(_ number: Int) -> UInt64 {
        switch debugRegisters[7] >> UInt64(18 + 4 * number) & 3 {
        case 0: 1
        case 1: 2
        case 2: 8
        default: 4
        }
    }
    private func isEnabled(_ number: Int) -> Bool { debugRegisters[7] >> UInt64(2 * number) & 3 != 0 }

    var hasDataBreakpoints: Bool {
        for number in 0..<4 where isEnabled(number) && breakpointKind(number) & 1 != 0 { return true }
        return false
    }

    /// Raises #DB before an instruction whose address is in a debug register, unless RF is set.
    mutating func checkInstructionBreakpoints() throws(Trap) {
        guard flags & Flag.resume == 0, interruptShadow != .stackSegment else { return }
        let linear = bypassesSegmentation ? rip : (segments[SegmentRegister.cs].base &+ rip) & 0xFFFF_FFFF
        var hits: UInt64 = 0
        for number in 0..<4
        where isEnabled(number) && breakpointKind(number) == 0 && debugRegisters[number] == linear {
            hits |= 1 << UInt64(number)
        }
        if hits != 0 {
            debugFault = hits
            throw .exception(ProcessorException.debug)
        }
    }

    /// Whether two ranges share a byte; either may go on at address 0.
    private func overlaps(_ first: UInt64, _ firstSize: UInt64, _ second: UInt64, _ secondSize: UInt64) -> Bool {
        second &- first < firstSize || first &- second < secondSize
    }

    /// Notes data breakpoints that an access hits; they are delivered after the instruction.
    mutating func noteDataBreakpoints(_ linear: UInt64, _ size: UInt64, isWrite: Bool) {
        for number in 0..<4 where isEnabled(number) && (breakpointKind(number) == 3 || breakpointKind(number) == 1 && isWrite)
        {
            let length = breakpointLength(number)
            let start = debugRegisters[number] & ~(length - 1)
            if overlaps(start, length, linear, size) { pendingDebug |= 1 << UInt64(number) }
        }
    }

    /// Notes I/O breakpoints (CR4.DE) that a port access hits.
    mutating func notePortBreakpoints(_ port: UInt16, _ size: UInt64) {
        guard debugRegisters[7] & 0xFF != 0, cr4 & CR4.debuggingExtensions != 0 else { return }
        for number in 0..<4 where isEnabled(number) && breakpointKind(number) == 2 {
            let length = breakpointLength(number)
            let start = debugRegisters[number] & ~(length - 1)
            if overlaps(start, length, UInt64(port), size) { pendingDebug |= 1 << UInt64(number) }
        }
    }

    /// Delivers the debug traps that the last instruction left.
    @inline(never)
    mutating func raisePendingDebug() -> Outcome {
        debugFault = pendingDebug
        pendingDebug = 0
        return raise(Delivery(vector: ProcessorException.debug, kind: .exception))
    }
}
