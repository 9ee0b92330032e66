// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// System instructions.
extension Processor {
    mutating func requirePrivilege() throws(Trap) { if privilege != 0 { throw .general } }

    mutating func executeSystem(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        switch opcode {
        case 0x00: try executeGroup6(i)
        case 0x01: try executeGroup7(i)
        case 0x02, 0x03: try loadRightsOrLimit(i, limit: opcode == 0x03)
        case 0x05: try systemCall()
        case 0x06:
            try requirePrivilege()
            try intercept(.clts)
            cr0 &= ~CR0.taskSwitched
        case 0x07: try systemReturn(i.size)
        case 0x08, 0x09:
            try requirePrivilege()
            try intercept(opcode == 0x08 ? .invd : .wbinvd)
        case 0x20...0x23: try moveControl(i, opcode)
        case 0x30:
            try requirePrivilege()
            let index = UInt32(truncatingIfNeeded: registers[Register.rcx])
            let value = registers[Register.rax] & 0xFFFF_FFFF | registers[Register.rdx] << 32
            try intercept(.writeMSR) {
                $0.number = index
                $0.value = value
            }
            guard writeModelSpecific(index, value) else { throw .general }
        case 0x31: try readTimeStamp(.rdtsc)
        case 0x32:
            try requirePrivilege()
            let index = UInt32(truncatingIfNeeded: registers[Register.rcx])
            try intercept(.readMSR) { $0.number = index }
            guard let value = readModelSpecific(index) else { throw .general }
            setPair(value)
        case 0x33:
            if privilege != 0 && cr4 & CR4.performanceCounter == 0 { throw .general }
            try intercept(.rdpmc)
            throw .unsupported
        case 0x34, 0x35:
            let size = i.size
            try atomically { (processor) throws(Trap) in
                if opcode == 0x34 { try processor.sysenter() } else { try processor.sysexit(size) }
            }
        case 0xA2: try identify()
        case 0xAA:
            try intercept(.rsm)
            throw .undefined
        default: throw .undefined
        }
    }

    mutating func setPair(_ value: UInt64) {
        registers[Register.rax] = value & 0xFFFF_FFFF
        registers[Register.rdx] = value >> 32
    }

    private mutating func identify() throws(Trap) {
        try intercept(.cpuid)
        let result = bus.cpuid(
            leaf: UInt32(truncatingIfNeeded: registers[Register.rax]),
            subleaf: UInt32(truncatingIfNeeded: registers[Register.rcx]))
        registers[Register.rax] = UInt64(result.eax)
        registers[Register.rbx] = UInt64(result.ebx)
        registers[Register.rcx] = UInt64(result.ecx)
        registers[Register.rdx] = UInt64(result.edx)
    }

    private mutating func readTimeStamp(_ point: InterceptPoint) throws(Trap) {
        if cr4 & CR4.timeStampDisable != 0 && privilege != 0 { throw .general }
        try intercept(point)
        setPair(bus.timeStampCounter() &+ msrs.timeStampOffset)
        if point == .rdtscp { registers[Register.rcx] = msrs.tscAux & 0xFFFF_FFFF }
    }

    /// LAR and LSL. Bits 19:16 of LAR's result are undefined in the SDM (vol. 2, "LAR"); processors give the limit's.
    private mutating func loadRightsOrLimit(_ i: Instruction, limit: Bool) throws(Trap) {
        if hasRealSegments { throw .undefined }
        let selector = UInt16(truncatingIfNeeded: try readRM(i, 2))
        let found = try visibleDescriptor(selector, forLimit: limit)
        setFlag(Flag.zero, found != nil)
        guard let found else { return }
        setRegister(i.reg, i.size, limit ? UInt64(found.limit) : found.low >> 32 & 0xFF_FF00)
    }

    /// SLDT, STR, LLDT, LTR, VERR, VERW.
    private mutating func executeGroup6(_ i: Instruction) throws(Trap) {
        if hasRealSegments { throw .undefined }
        switch i.group {
        case 0, 1:
            try requireNoPrevention()
            try interceptTable(.taskRegister, i)
            let selector = UInt64(i.group == 0 ? ldtr.selector : tr.selector)
            if i.isRegister { setRegister(i.rm, i.size, selector) } else { try writeRM(i, 2, selector) }
        case 2, 3:
            try requirePrivilege()
            try interceptTable(.taskRegister, i)
            let selector = UInt16(truncatingIfNeeded: try readRM(i, 2))
            if i.group == 2 { try loadLDT(selector) } else { try loadTaskRegister(selector) }
        case 4, 5:
            let selector = UInt16(truncatingIfNeeded: try readRM(i, 2))
            setFlag(Flag.zero, try verify(selector, write: i.group == 5))
        default: throw .undefined
        }
    }

    /// UMIP: SGDT and its like need privilege.
    private mutating func requireNoPrevention() throws(Trap) {
        if cr4 & CR4.userModeInstructionPrevention != 0 && privilege != 0 { throw .general }
    }

    private mutating func interceptTable(_ point: InterceptPoint, _ i: Instruction) throws(Trap) {
        guard intercepts.has(point) else { return }
        interception = Interception(point: point)
        interception.number = UInt32(i.group)
        interception.register = i.rm
        interception.isMemory = !i.isRegister
        interception.size = i.size
        if !i.isRegister {
            interception.linear = offset(i)
            interception.segment = i.segment
        }
        interception.addressSize = i.addressSize
        throw .intercept
    }

    /// SGDT, SIDT, LGDT, LIDT, SMSW, LMSW, INVLPG and what shares their opcode.
    private mutating func executeGroup7(_ i: Instruction) throws(Trap) {
        if i.isRegister && i.group != 4 && i.group != 6 {
            try executeRegisterGroup7(i)
            return
        }
        switch i.group {
        case 0, 1:
            try requireNoPrevention()
            try interceptTable(.descriptorTable, i)
            try storeTable(i, i.group == 0 ? gdtr : idtr)
        case 2, 3:
            try requirePrivilege()
            try interceptTable(.descriptorTable, i)
            let table = try loadTable(i)
            if i.group == 2 { gdtr = table } else { idtr = table }
        case 4:
            try requireNoPrevention()
            try intercept(.smsw)
            if i.isRegister { setRegister(i.rm, i.size, cr0) } else { try writeRM(i, 2, cr0) }
        case 6:
            try requirePrivilege()
            let value = try readRM(i, 2)
            let (isMemory, address, segment) = (!i.isRegister, i.isRegister ? 0 : offset(i), i.segment)
            try intercept(.lmsw) {
                $0.value = value
                $0.isMemory = isMemory
                $0.linear = address
                $0.segment = segment
            }
            // LMSW can set PE but not clear it.
            try writeCR0(cr0 & ~0xE | value & 0xF)
        case 7:
            try requirePrivilege()
            let address = (bypassesSegmentation && i.segment < 4 ? 0 : segments[Int(i.segment)].base) &+ offset(i)
            try intercept(.invlpg) { $0.linear = address }
            translations.forget(linear: address)
            fetchPage = .max
        default: throw .undefined
        }
    }

    private mutating func storeTable(_ i: Instruction, _ table: DescriptorTable) throws(Trap) {
        let width: UInt8 = codeSize == 8 ? 8 : 4
        let address = try operandAddress(i, width + 2, write: true)
        try checkWritable(advanced(address, 2), width)
        try store(address, 2, UInt64(table.limit))
        try store(advanced(address, 2), width, table.base)
    }

    private mutating func loadTable(_ i: Instruction) throws(Trap) -> DescriptorTable {
        let width: UInt8 = codeSize == 8 ? 8 : 4
        let address = try operandAddress(i, width + 2, write: false)
        let limit = UInt16(truncatingIfNeeded: try load(address, 2))
        var base = try load(advanced(address, 2), width)
        if i.size == 2 && width == 4 { base &= 0xFF_FFFF }
        guard isCanonical(base) || width == 4 else { throw .general }
        return DescriptorTable(base: base, limit: limit)
    }

    /// 0F 01 with a register: VMX, MONITOR, XGETBV, SWAPGS, RDTSCP, ...
    private mutating func executeRegisterGroup7(_ i: Instruction) throws(Trap) {
        switch i.group << 3 | i.rm & 7 {
        case 0o01, 0o02, 0o03, 0o04:
            try vmxInstruction(i)
            throw .undefined
        case 0o10, 0o11:
            guard privilege == 0 else { throw .undefined }
            try intercept(i.rm & 7 == 0 ? .monitor : .mwait)
            if i.rm & 7 == 1 { isHalted = true }
        case 0o12, 0o13:
            guard privilege == 0, cr4 & CR4.smap != 0 else { throw .undefined }
            setFlags(i.rm & 7 == 3 ? Flag.alignmentCheck : 0, Flag.alignmentCheck)
        case 0o20:
            guard cr4 & CR4.xsave != 0 else { throw .undefined }
            guard registers[Register.rcx] & 0xFFFF_FFFF == 0 else { throw .general }
            setPair(xcr0)
        case 0o21:
            guard cr4 & CR4.xsave != 0 else { throw .undefined }
            try requirePrivilege()
            try intercept(.xsetbv)
            let value = registers[Register.rax] & 0xFFFF_FFFF | registers[Register.rdx] << 32
            guard registers[Register.rcx] & 0xFFFF_FFFF == 0, value & 1 == 1, value & ~3 == 0 else { throw .general }
            xcr0 = value
        case 0o24:
            try vmxInstruction(i)
            throw .undefined
        case 0o70:
            guard codeSize == 8 else { throw .undefined }
            try requirePrivilege()
            let base = segments[SegmentRegister.gs].base
            segments[SegmentRegister.gs].base = msrs.kernelGSBase
            msrs.kernelGSBase = base
        case 0o71: try readTimeStamp(.rdtscp)
        default: throw .undefined
        }
    }

    /// The VMX instructions exist only for an embedder that intercepts them.
    mutating func vmxInstruction(_ i: Instruction) throws(Trap) {
        guard intercepts.has(.vmx) else { return }
        interception = Interception(point: .vmx)
        interception.number = UInt32(i.opcode) << 8 | UInt32(i.group << 3 | i.rm & 7)
        interception.register = i.reg
        interception.isMemory = !i.isRegister
        if !i.isRegister {
            interception.linear = offset(i)
            interception.segment = i.segment
        }
        interception.addressSize = i.addressSize
        throw .intercept
    }

    /// INVPCID.
    mutating func invalidateContext(_ i: Instruction) throws(Trap) {
        guard !i.isRegister else { throw .undefined }
        try requirePrivilege()
        let kind = register(i.reg, codeSize == 8 ? 8 : 4)
        let address = try operandAddress(i, 16, write: false)
        try intercept(.invpcid) {
            $0.linear = address
            $0.value = kind
        }
        guard kind < 4 else { throw .general }
        let context = try load(address, 8)
        let linear = try load(advanced(address, 8), 8)
        guard context >> 12 == 0, cr4 & CR4.processContext != 0 || context == 0 || kind >= 2 else { throw .general }
        if kind == 0 {
            guard isCanonical(linear) else { throw .general }
            translations.forget(linear: linear)
        } else {
            translations.forgetContext(globalsToo: kind == 2)
        }
        fetchPage = .max
    }
}
