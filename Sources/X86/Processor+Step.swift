// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// Executes one instruction, or some iterations of a REP one, and delivers the exception it raises.
    public mutating func step() -> Outcome {
        refreshMode()
        return executeOne()
    }

    /// Executes until `limit` steps are done (`.retired`) or something else comes up.
    public mutating func run(limit: UInt64) -> Outcome {
        refreshMode()
        var left = limit
        defer { steps &+= limit &- left }
        while left > 0 {
            let outcome = executeOne()
            guard case .retired = outcome else { return outcome }
            left &-= 1
        }
        return .retired
    }

    /// Executes the instruction at RIP although it is intercepted.
    public mutating func stepThroughIntercepts() -> Outcome {
        let saved = intercepts
        intercepts = []
        defer { intercepts = saved }
        return step()
    }

    @inline(__always)
    private mutating func executeOne() -> Outcome {
        if isHalted { return .halted }
        if pendingDebug != 0 && interruptShadow != .stackSegment { return raisePendingDebug() }
        let start = rip
        let stack = registers[Register.rsp]
        let startFlags = flags
        do throws(Trap) {
            if hasBreakpoints { try checkInstructionBreakpoints() }
            let instruction = try fetch()
            flags &= ~Flag.resume
            rip = (start &+ UInt64(instruction.length)) & instructionPointerMask
            newShadow = .none
            try execute(instruction)
            interruptShadow = newShadow
            if isRepeating {
                isRepeating = false
                rip = start
                flags |= startFlags & Flag.resume
            } else {
                retired &+= 1
            }
            if startFlags & Flag.trap != 0 && newShadow != .stackSegment { pendingDebug |= 1 << 14 }
            return .retired
        } catch {
            let length = UInt8(truncatingIfNeeded: rip &- start)
            rip = start
            registers[Register.rsp] = stack
            flags = startFlags
            return handle(error, length: length)
        }
    }

    @inline(never)
    private mutating func handle(_ trap: Trap, length: UInt8) -> Outcome {
        isRepeating = false
        newShadow = .none
        delivering = nil
        switch trap.kind {
        case .refused:
            pendingDebug &= 1 << 14
            return .refused
        case .intercept:
            interception.length = length
            return .intercepted(interception.point)
        case .unsupported:
            countUnsupported()
            return raise(Delivery(vector: ProcessorException.undefined, kind: .exception))
        case .software:
            interruptShadow = .none
            // VM entries and exits have INT n's length with the event.
            softwareEvent.length = length
            return raise(softwareEvent)
        case .exception:
            return raise(
                Delivery(vector: trap.vector, kind: .exception, errorCode: trap.exception.errorCode))
        }
    }

    /// Decodes the instruction at RIP once more, to count it by name.
    private mutating func countUnsupported() {
        do throws(Trap) {
            let instruction = try fetch()
            unsupported.count(opcode: instruction.opcode, group: instruction.group)
        } catch {}
    }

    /// Stops the instruction for the embedder if it wants to see this point.
    @inline(__always)
    mutating func intercept(_ point: InterceptPoint, _ fill: (inout Interception) -> Void = { _ in }) throws(Trap) {
        guard intercepts.has(point) else { return }
        interception = Interception(point: point)
        fill(&interception)
        throw .intercept
    }
}
