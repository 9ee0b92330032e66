// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// Enters the handler of an event (SDM vol. 3, 6.12 and 6.14). The caller restores the state if this throws.
    mutating func enter(_ event: Delivery) throws(Trap) {
        let returnAddress =
            event.kind == .exception || event.kind == .externalInterrupt || event.kind == .nmi
            ? rip : (rip &+ UInt64(event.length)) & instructionPointerMask
        if !isProtected {
            try enterReal(event, returnAddress)
        } else {
            try enterProtected(event, returnAddress)
        }
    }

    private mutating func enterReal(_ event: Delivery, _ returnAddress: UInt64) throws(Trap) {
        let entry = UInt64(event.vector) * 4
        guard entry + 3 <= UInt64(idtr.limit) else { throw .exception(13, UInt32(event.vector) * 8 + 2) }
        let vector = try loadSystem(idtr.base &+ entry, 4)
        try push(flags, 2)
        try push(UInt64(segments[SegmentRegister.cs].selector), 2)
        try push(returnAddress, 2)
        flags &= ~(Flag.interrupt | Flag.trap | Flag.alignmentCheck | Flag.resume)
        setRealSegment(SegmentRegister.cs, UInt16(truncatingIfNeeded: vector >> 16))
        rip = vector & 0xFFFF
    }

    private mutating func enterProtected(_ event: Delivery, _ returnAddress: UInt64) throws(Trap) {
        let ext: UInt32 = event.isSoftware ? 0 : 1
        let code = UInt32(event.vector) * 8 + 2
        let entrySize: UInt64 = isLongMode ? 16 : 8
        let entry = UInt64(event.vector) * entrySize
        guard entry + entrySize - 1 <= UInt64(idtr.limit) else { throw .exception(13, code | ext) }
        var gate = Descriptor(low: try loadSystem(advanced(idtr.base, entry), 8))
        if isLongMode { gate.high = try loadSystem(idtr.base &+ entry &+ 8, 8) }

        switch gate.type {
        case _ where gate.isCodeOrData: throw .exception(13, code | ext)
        case SystemType.interruptGate, SystemType.trapGate: break
        case SystemType.interruptGate16, SystemType.trapGate16, SystemType.taskGate:
            if isLongMode { throw .exception(13, code | ext) }
        default: throw .exception(13, code | ext)
        }
        if event.isSoftware && gate.privilege < privilege { throw .exception(13, code) }
        guard gate.isPresent else { throw .exception(11, code | ext) }
        if gate.type == SystemType.taskGate { throw try taskSwitch(gate.gateSelector) }

        let selector = gate.gateSelector
        guard selector & 0xFFFC != 0 else { throw .exception(13, ext) }
        let selectorCode = UInt32(selector & 0xFFFC) | ext
        guard let target = try descriptor(selector), target.isCode, target.privilege <= privilege,
            !isLongMode || target.isLong && !target.isBig
        else { throw .exception(13, selectorCode) }
        guard target.isPresent else { throw .exception(11, selectorCode) }

        let wasVirtual = isVirtual8086
        let isInner = !target.isConforming && target.privilege < privilege
        if wasVirtual && (!isInner || target.privilege != 0) { throw .exception(13, selectorCode) }
        let newPrivilege = isInner ? target.privilege : privilege
        let old = (
            flags: flags, cs: segments[SegmentRegister.cs].selector, ss: segments[SegmentRegister.ss].selector,
            rsp: registers[Register.rsp]
        )
        let size: UInt8 = isLongMode ? 8 : gate.type >= SystemType.interruptGate ? 4 : 2

        try markDescriptor(selector, Self.accessedBit)
        var code64 = target.segment(selector & 0xFFFC | UInt16(newPrivilege))
        code64.access |= 1
        if isLongMode {
            let stack: UInt64 =
                if gate.gateStack != 0 {
                    try tssField(0x24 + UInt64(gate.gateStack - 1) * 8, 8, ext)
                } else if isInner {
                    try tssField(4 + UInt64(newPrivilege) * 8, 8, ext)
                } else {
                    registers[Register.rsp]
                }
            if !isCanonical(stack) { throw .exception(12, ext) }
            if isInner {
                segments[SegmentRegister.ss] = Segment(
                    selector: UInt16(newPrivilege), limit: 0,
                    access: Segment.unusableBit | UInt32(newPrivilege) << 5)
            }
            segments[SegmentRegister.cs] = code64
            privilege = newPrivilege
            refreshMode()
            registers[Register.rsp] = stack & ~15
        } else {
            let inner = isInner ? try innerStack(newPrivilege, ext) : nil
            if let inner {
                let pushes = (wasVirtual ? 9 : 5) + (event.errorCode == nil ? 0 : 1)
                try requireRoom(inner, pushes, size, ext)
            }
            segments[SegmentRegister.cs] = code64
            privilege = newPrivilege
            flags &= ~Flag.virtual8086
            if let inner { segments[SegmentRegister.ss] = inner.segment }
            refreshMode()
            if let inner { setStackPointer(inner.pointer) }
        }
        if wasVirtual {
            for number in [SegmentRegister.gs, SegmentRegister.fs, SegmentRegister.ds, SegmentRegister.es] {
                try push(UInt64(segments[number].selector), size)
                segments[number] = .unusable
            }
        }
        if isLongMode || isInner {
            try push(UInt64(old.ss), size)
            try push(old.rsp, size)
        }
        try push(old.flags, size)
        try push(UInt64(old.cs), size)
        try push(returnAddress, size)
        if let errorCode = event.errorCode { try push(UInt64(errorCode), size) }

        flags &= ~(Flag.trap | Flag.nestedTask | Flag.resume | Flag.virtual8086)
        if gate.type & 1 == 0 { flags &= ~Flag.interrupt }
        try jump(to: size == 2 ? gate.gateOffset & 0xFFFF : gate.gateOffset)
    }

    /// A field of the TSS; #TS when the TSS is too short.
    mutating func tssField(_ offset: UInt64, _ size: UInt8, _ ext: UInt32 = 0) throws(Trap) -> UInt64 {
        guard offset + UInt64(size) - 1 <= UInt64(tr.limit) else {
            throw .exception(10, UInt32(tr.selector & 0xFFFC) | ext)
        }
        return try loadSystem(advanced(tr.base, offset), size)
    }

    /// The stack of a more privileged level, from the TSS, fully checked.
    mutating func innerStack(
        _ level: UInt8, _ ext: UInt32 = 0
    ) throws(Trap) -> (segment: Segment, pointer: UInt64) {
        let selector: UInt16
        let pointer: UInt64
        if tr.access & 8 != 0 {
            pointer = try tssField(4 + UInt64(level) * 8, 4, ext)
            selector = UInt16(truncatingIfNeeded: try tssField(8 + UInt64(level) * 8, 2, ext))
        } else {
            pointer = try tssField(2 + UInt64(level) * 4, 2, ext)
            selector = UInt16(truncatingIfNeeded: try tssField(4 + UInt64(level) * 4, 2, ext))
        }
        let code = UInt32(selector & 0xFFFC) | ext
        guard selector & 0xFFFC != 0 else { throw .exception(10, ext) }
        guard let found = try descriptor(selector), UInt8(selector & 3) == level, found.privilege == level,
            found.segment(selector).isWritable
        else { throw .exception(10, code) }
        guard found.isPresent else { throw .exception(12, code) }
        try markDescriptor(selector, Self.accessedBit)
        var segment = found.segment(selector)
        segment.access |= 1
        return (segment, pointer)
    }

    /// #SS with the new stack's selector unless a number of pushes fit in.
    func requireRoom(
        _ stack: (segment: Segment, pointer: UInt64), _ pushes: Int, _ size: UInt8, _ ext: UInt32 = 0
    ) throws(Trap) {
        let mask: UInt64 = stack.segment.isBig ? 0xFFFF_FFFF : 0xFFFF
        let limit = UInt64(stack.segment.limit)
        for number in 1...UInt64(pushes) {
            let first = (stack.pointer &- number * UInt64(size)) & mask
            let last = first + UInt64(size) - 1
            let fits = stack.segment.isExpandDown ? first > limit && last <= stack.segment.upperBound : last <= limit
            if !fits { throw .exception(ProcessorException.stack, UInt32(stack.segment.selector & 0xFFFC) | ext) }
        }
    }

    /// Sets RIP, checked against the (new) code segment.
    mutating func jump(to address: UInt64) throws(Trap) {
        if codeSize == 8 {
            guard isCanonical(address) else { throw .general }
        } else if address > UInt64(segments[SegmentRegister.cs].limit) {
            throw .general
        }
        rip = address
    }

    /// A task switch: the embedder's business, or not done at all.
    mutating func taskSwitch(_ selector: UInt16) throws(Trap) -> Trap {
        try intercept(.taskSwitch) { $0.number = UInt32(selector) }
        return .unsupported
    }
}
