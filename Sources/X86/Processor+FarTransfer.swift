// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// Far CALL and JMP (SDM vol. 2): direct, through a call gate, or to a task.
    mutating func farTransfer(_ selector: UInt16, _ offset: UInt64, _ size: UInt8, isCall: Bool) throws(Trap) {
        let returnAddress = rip
        let returnSelector = UInt64(segments[SegmentRegister.cs].selector)
        if hasRealSegments {
            if offset > UInt64(segments[SegmentRegister.cs].limit) { throw .general }
            if isCall {
                try push(returnSelector, size)
                try push(returnAddress, size)
            }
            setRealSegment(SegmentRegister.cs, selector)
            rip = offset
            return
        }
        guard selector & 0xFFFC != 0 else { throw .general }
        guard let target = try descriptor(selector) else { throw .general(selector) }
        guard target.isCodeOrData else {
            try transferThroughSystem(target, selector, isCall: isCall)
            return
        }
        let segment = try directTarget(target, selector)
        if isCall {
            try push(returnSelector, size)
            try push(returnAddress, size)
        }
        try markDescriptor(selector, Self.accessedBit)
        segments[SegmentRegister.cs] = segment
        refreshMode()
        try jump(to: offset)
    }

    /// Checks a code descriptor that is called or jumped to at the same privilege.
    private func directTarget(_ target: Descriptor, _ selector: UInt16) throws(Trap) -> Segment {
        guard target.isCode, !(isLongMode && target.isLong && target.isBig) else { throw .general(selector) }
        if target.isConforming {
            guard target.privilege <= privilege else { throw .general(selector) }
        } else {
            guard UInt8(selector & 3) <= privilege, target.privilege == privilege else { throw .general(selector) }
        }
        guard target.isPresent else { throw .notPresent(selector) }
        var segment = target.segment(selector & 0xFFFC | UInt16(privilege))
        segment.access |= 1
        return segment
    }

    private mutating func transferThroughSystem(
        _ gate: Descriptor, _ selector: UInt16, isCall: Bool
    ) throws(Trap) {
        switch gate.type {
        case SystemType.callGate: break
        case SystemType.callGate16 where !isLongMode: break
        case SystemType.taskGate where !isLongMode, SystemType.tss where !isLongMode,
            SystemType.tss16 where !isLongMode:
            guard gate.privilege >= max(privilege, UInt8(selector & 3)) else { throw .general(selector) }
            guard gate.isPresent else { throw .notPresent(selector) }
            throw try taskSwitch(gate.type == SystemType.taskGate ? gate.gateSelector : selector)
        default: throw .general(selector)
        }
        guard gate.privilege >= max(privilege, UInt8(selector & 3)) else { throw .general(selector) }
        guard gate.isPresent else { throw .notPresent(selector) }
        var gate = gate
        if isLongMode {
            guard let wide = try descriptor(selector, wide: true), wide.high >> 40 & 0x1F == 0 else {
                throw .general(selector)
            }
            gate.high = wide.high & 0xFFFF_FFFF
        }
        let size: UInt8 = isLongMode ? 8 : gate.type == SystemType.callGate ? 4 : 2
        let code = gate.gateSelector
        guard code & 0xFFFC != 0 else { throw .general }
        guard let target = try descriptor(code), target.isCode, target.privilege <= privilege,
            !isLongMode || target.isLong && !target.isBig
        else { throw .general(code) }
        let isInner = isCall && !target.isConforming && target.privilege < privilege
        if !isCall && !target.isConforming && target.privilege != privilege { throw .general(code) }
        guard target.isPresent else { throw .notPresent(code) }

        let offset = size == 2 ? gate.gateOffset & 0xFFFF : gate.gateOffset
        let old = (
            cs: segments[SegmentRegister.cs].selector, ss: segments[SegmentRegister.ss].selector,
            rsp: registers[Register.rsp], rip: rip
        )
        let parameters = try isInner && !isLongMode ? gateParameters(Int(gate.gateParameters), size) : []
        try markDescriptor(code, Self.accessedBit)
        let level = isInner ? target.privilege : privilege
        var segment = target.segment(code & 0xFFFC | UInt16(level))
        segment.access |= 1
        if isInner {
            if isLongMode {
                let stack = try tssField(4 + UInt64(level) * 8, 8)
                guard isCanonical(stack) else { throw .stack }
                segments[SegmentRegister.ss] = Segment(
                    selector: UInt16(level), limit: 0, access: Segment.unusableBit | UInt32(level) << 5)
                segments[SegmentRegister.cs] = segment
                privilege = level
                refreshMode()
                registers[Register.rsp] = stack
            } else {
                let stack = try innerStack(level)
                try requireRoom(stack, 4 + parameters.count, size)
                segments[SegmentRegister.ss] = stack.segment
                segments[SegmentRegister.cs] = segment
                privilege = level
                refreshMode()
                setStackPointer(stack.pointer)
            }
            try push(UInt64(old.ss), size)
            try push(old.rsp, size)
            for value in parameters { try push(value, size) }
        } else {
            segments[SegmentRegister.cs] = segment
            refreshMode()
        }
        if isCall {
            try push(UInt64(old.cs), size)
            try push(old.rip, size)
        }
        try jump(to: offset)
    }

    /// The parameters a call gate copies, in the order they are pushed again.
    private mutating func gateParameters(_ count: Int, _ size: UInt8) throws(Trap) -> [UInt64] {
        var values: [UInt64] = []
        for index in (0..<count).reversed() { values.append(try peek(UInt64(index) * UInt64(size), size)) }
        return values
    }

    /// Far RET, releasing `bytes` more.
    mutating func farReturn(_ size: UInt8, _ bytes: UInt64) throws(Trap) {
        let offset = try pop(size)
        let selector = UInt16(truncatingIfNeeded: try pop(size))
        if hasRealSegments {
            if offset > UInt64(segments[SegmentRegister.cs].limit) { throw .general }
            setRealSegment(SegmentRegister.cs, selector)
            rip = offset
            setStackPointer(registers[Register.rsp] &+ bytes)
            return
        }
        let segment = try returnTarget(selector)
        setStackPointer(registers[Register.rsp] &+ bytes)
        try finishReturn(segment, offset, size, bytes, alwaysPopsStack: false)
    }

    /// Checks a code selector that is returned to.
    mutating func returnTarget(_ selector: UInt16) throws(Trap) -> Segment {
        guard selector & 0xFFFC != 0 else { throw .general }
        let level = UInt8(selector & 3)
        guard let target = try descriptor(selector), target.isCode, level >= privilege,
            target.isConforming ? target.privilege <= level : target.privilege == level,
            !(isLongMode && target.isLong && target.isBig)
        else { throw .general(selector) }
        guard target.isPresent else { throw .notPresent(selector) }
        try markDescriptor(selector, Self.accessedBit)
        var segment = target.segment(selector)
        segment.access |= 1
        return segment
    }

    /// The common end of far RET and IRET: the outer stack if the privilege falls, then the jump.
    mutating func finishReturn(
        _ segment: Segment, _ offset: UInt64, _ size: UInt8, _ bytes: UInt64, alwaysPopsStack: Bool
    ) throws(Trap) {
        let level = UInt8(segment.selector & 3)
        guard level > privilege || alwaysPopsStack else {
            segments[SegmentRegister.cs] = segment
            refreshMode()
            try jump(to: offset)
            return
        }
        let pointer = try pop(size)
        let selector = UInt16(truncatingIfNeeded: try pop(size))
        let stack: Segment
        if selector & 0xFFFC == 0 && isLongMode && segment.isLong && level != 3 {
            stack = Segment(selector: selector, limit: 0, access: Segment.unusableBit | UInt32(level) << 5)
        } else {
            guard selector & 0xFFFC != 0 else { throw .general }
            stack = try stackSegment(selector, level)
        }
        let falls = level > privilege
        segments[SegmentRegister.cs] = segment
        segments[SegmentRegister.ss] = stack
        privilege = level
        refreshMode()
        setStackPointer(pointer &+ bytes)
        if falls { dropPrivilegedSegments() }
        try jump(to: offset)
    }

    /// After a return to less privilege: data segments it may not use become null.
    private mutating func dropPrivilegedSegments() {
        for number in [SegmentRegister.es, SegmentRegister.ds, SegmentRegister.fs, SegmentRegister.gs] {
            let segment = segments[number]
            if !segment.isUnusable && !segment.isConforming && segment.privilege < privilege {
                segments[number] = Segment(limit: 0, access: Segment.unusableBit)
            }
        }
    }

    /// IRET in every mode (SDM vol. 2).
    mutating func interruptReturn(_ size: UInt8) throws(Trap) {
        if isProtected && !isVirtual8086 && flags & Flag.nestedTask != 0 {
            if isLongMode { throw .general }
            throw try taskSwitch(UInt16(truncatingIfNeeded: try tssField(0, 2)))
        }
        if isVirtual8086 && ioPrivilege < 3 { throw .general }
        let offset = try pop(size)
        let selector = UInt16(truncatingIfNeeded: try pop(size))
        let image = try pop(size)
        var mask = Flag.status | Flag.trap | Flag.direction | Flag.nestedTask
        if size > 2 { mask |= Flag.resume | Flag.alignmentCheck | Flag.identification }
        if hasRealSegments {
            if offset > UInt64(segments[SegmentRegister.cs].limit) { throw .general }
            setRealSegment(SegmentRegister.cs, selector)
            rip = offset
            mask |= Flag.interrupt
            if !isProtected { mask |= Flag.ioPrivilege }
            setFlags(image, mask)
            blocksNMI = false
            return
        }
        if privilege <= ioPrivilege { mask |= Flag.interrupt }
        if privilege == 0 {
            mask |= Flag.ioPrivilege
            if size > 2 { mask |= Flag.virtualInterrupt | Flag.virtualInterruptPending }
            if size == 4 && image & Flag.virtual8086 != 0 && !isLongMode {
                try returnToVirtual8086(offset, selector, image)
                blocksNMI = false
                return
            }
        }
        let segment = try returnTarget(selector)
        try finishReturn(segment, offset, size, 0, alwaysPopsStack: codeSize == 8)
        setFlags(image, mask)
        blocksNMI = false
    }

    private mutating func returnToVirtual8086(_ offset: UInt64, _ selector: UInt16, _ image: UInt64) throws(Trap) {
        // Such a segment has 64 KiB.
        guard offset <= 0xFFFF else { throw .general }
        let pointer = try pop(4)
        let order = [
            SegmentRegister.ss, SegmentRegister.es, SegmentRegister.ds, SegmentRegister.fs, SegmentRegister.gs,
        ]
        var selectors: [UInt16] = []
        for _ in order { selectors.append(UInt16(truncatingIfNeeded: try pop(4))) }
        flags = image & 0x3F_7FD5 | Flag.fixed
        privilege = 3
        setRealSegment(SegmentRegister.cs, selector)
        for (number, value) in zip(order, selectors) { setRealSegment(number, value) }
        refreshMode()
        registers[Register.rsp] = pointer
        rip = offset
    }
}
