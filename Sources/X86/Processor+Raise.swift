// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// Delivers an event through the IDT now: an external interrupt, an NMI, or one that an embedder injects. Software events need
    /// `Delivery.length`, with RIP at their instruction.
    public mutating func deliver(_ event: Delivery) -> Outcome {
        refreshMode()
        if event.kind == .nmi { blocksNMI = true }
        return raise(event, isInjected: true)
    }

    /// Delivers an event, and what goes wrong with it, until a handler is entered or nothing more can be done.
    @inline(never)
    mutating func raise(_ first: Delivery, isInjected: Bool = false) -> Outcome {
        var event = first
        var isInjected = isInjected
        delivering = nil
        while true {
            if !isInjected, isInterceptable(event), interceptedExceptions >> UInt32(event.vector & 31) & 1 != 0 {
                if event.kind != .exception { delivering = event }
                return .exception(ProcessorException(vector: event.vector, errorCode: event.errorCode))
            }
            if !isInjected && pushesResume(event) { flags |= Flag.resume }
            let saved = TransferState(of: self)
            delivering = event
            do throws(Trap) {
                noteException(event)
                try enter(event)
                delivering = nil
                interruptShadow = .none
                isHalted = false
                refreshMode()
                return .retired
            } catch {
                saved.restore(&self)
                refreshMode()
                switch error.kind {
                case .refused: return .refused
                case .intercept: return .intercepted(interception.point)
                case .exception, .unsupported, .software:
                    guard let next = combine(event, with: error) else {
                        delivering = event
                        return .tripleFault
                    }
                    event = next
                    isInjected = false
                }
            }
        }
    }

    /// Whether delivering an event sets RF in the image of RFLAGS, so that a fault's instruction isn't stopped at its breakpoint again: faults
    /// do, but for a breakpoint's own (SDM vol. 3, 17.3.1.1). What VM entry injects leaves RF alone (26.6.1.1).
    public func pushesResume(_ event: Delivery) -> Bool {
        guard event.kind == .exception else { return false }
        switch event.vector {
        // Of debug exceptions, access to a debug register (BD) is one.
        case ProcessorException.debug: return debugFault & 1 << 13 != 0
        case ProcessorException.doubleFault, 18: return false
        default: return true
        }
    }

    private func isInterceptable(_ event: Delivery) -> Bool {
        switch event.kind {
        case .exception, .softwareException, .privilegedSoftwareException: true
        default: false
        }
    }

    /// What follows when delivering an event faults (SDM vol. 3, table 6-5); nil is a triple fault.
    private mutating func combine(_ event: Delivery, with trap: Trap) -> Delivery? {
        let second = trap.vector
        let isSevere = isContributory(second) || second == ProcessorException.pageFault
        if event.kind == .exception {
            let isDouble = event.vector == ProcessorException.doubleFault
            if second == ProcessorException.pageFault, isDouble || event.vector == ProcessorException.pageFault {
                // This page fault won't be delivered itself, but CR2 tells of it: it was the last one.
                cr2 = faultAddress
            }
            if isDouble { return isSevere ? nil : plain(trap) }
            if isContributory(event.vector) && isContributory(second)
                || event.vector == ProcessorException.pageFault && isSevere
            {
                return Delivery(vector: ProcessorException.doubleFault, kind: .exception, errorCode: 0)
            }
        }
        return plain(trap)
    }

    private func plain(_ trap: Trap) -> Delivery {
        Delivery(vector: trap.vector, kind: .exception, errorCode: trap.exception.errorCode)
    }

    private func isContributory(_ vector: UInt8) -> Bool { vector == 0 || (10...13).contains(vector) }

    /// What delivering an exception leaves in registers besides the stack: CR2, DR6 and DR7.
    private mutating func noteException(_ event: Delivery) {
        guard event.kind == .exception else { return }
        if event.vector == ProcessorException.pageFault { cr2 = faultAddress }
        if event.vector == ProcessorException.debug {
            debugRegisters[6] = debugRegisters[6] & ~0xF | debugFault
            debugRegisters[7] &= ~(1 << 13)
            debugFault = 0
        }
    }
}

/// What a control transfer may change before it is known to succeed.
struct TransferState {
    private let registers: InlineArray<18, UInt64>
    private let flags: UInt64
    private let segments: InlineArray<6, Segment>
    private let ldtr: Segment
    private let tr: Segment
    private let privilege: UInt8

    init(of processor: borrowing Processor) {
        registers = processor.registers.saved()
        flags = processor.flags
        segments = processor.segments.saved()
        ldtr = processor.ldtr
        tr = processor.tr
        privilege = processor.privilege
    }

    func restore(_ processor: inout Processor) {
        processor.registers.restore(registers)
        processor.flags = flags
        processor.segments.restore(segments)
        processor.ldtr = ldtr
        processor.tr = tr
        processor.privilege = privilege
    }
}

extension Processor {
    /// Runs a transfer that either succeeds or leaves the state as it was.
    mutating func atomically(_ transfer: (inout Processor) throws(Trap) -> Void) throws(Trap) {
        let saved = TransferState(of: self)
        do throws(Trap) {
            try transfer(&self)
        } catch {
            saved.restore(&self)
            refreshMode()
            throw error
        }
        refreshMode()
    }
}
