// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Control and debug registers, with the checks of SDM vol. 3, 2.5 and 17.2.
extension Processor {
    /// MOV to and from CR and DR.
    mutating func moveControl(_ i: Instruction, _ opcode: UInt8) throws(Trap) {
        let size: UInt8 = codeSize == 8 ? 8 : 4
        let (number, general) = (i.reg, i.rm)
        if opcode & 1 == 0 {
            guard number == 0 || (2...4).contains(number) || number == 8 && codeSize == 8 else { throw .undefined }
        } else {
            guard number < 8 else { throw .undefined }
            if number & 6 == 4, cr4 & CR4.debuggingExtensions != 0 { throw .undefined }
        }
        try requirePrivilege()
        let value = register(general, size)
        let points: InlineArray<4, InterceptPoint> = [.readCR, .readDR, .writeCR, .writeDR]
        let point = points[Int(opcode & 3)]
        try intercept(point) {
            $0.number = UInt32(number)
            $0.register = general
            $0.value = point == .writeCR || point == .writeDR ? value : 0
        }
        if opcode & 1 != 0 && debugRegisters[7] & 1 << 13 != 0 {
            debugFault = 1 << 13
            throw .exception(ProcessorException.debug)
        }
        switch opcode & 3 {
        case 0: setRegister(general, size, controlRegister(number))
        case 1: setRegister(general, size, debugRegisters[Int(number & 6 == 4 ? number | 2 : number)])
        case 2: try writeControlRegister(number, value)
        default: try writeDebugRegister(number & 6 == 4 ? number | 2 : number, value)
        }
    }

    private func controlRegister(_ number: UInt8) -> UInt64 {
        switch number {
        case 0: cr0
        case 2: cr2
        case 3: cr3
        case 4: cr4
        default: cr8
        }
    }

    /// What MOV to a control register does, for embedders that intercept it and then want it done. Throws nothing but returns
    /// false where the instruction raises #GP(0).
    public mutating func setControlRegister(_ number: Int, _ value: UInt64) -> Bool {
        do throws(Trap) {
            try writeControlRegister(UInt8(number), value)
            return true
        } catch {
            return false
        }
    }

    private mutating func writeControlRegister(_ number: UInt8, _ value: UInt64) throws(Trap) {
        switch number {
        case 0: try writeCR0(value)
        case 2: cr2 = value
        case 3: try writeCR3(value)
        case 4: try writeCR4(value)
        default:
            guard value < 16 else { throw .general }
            cr8 = value
        }
    }

    mutating func writeCR0(_ value: UInt64) throws(Trap) {
        let new = value & CR0.defined | CR0.extensionType
        guard value >> 32 == 0 else { throw .general }
        if new & CR0.paging != 0 && new & CR0.protection == 0 { throw .general }
        if new & CR0.notWriteThrough != 0 && new & CR0.cacheDisable == 0 { throw .general }
        let changed = new ^ cr0
        if changed & CR0.paging != 0 {
            if new & CR0.paging != 0 {
                if efer & EFER.longModeEnable != 0 {
                    guard cr4 & CR4.physicalAddressExtension != 0, !segments[SegmentRegister.cs].isLong else {
                        throw .general
                    }
                    efer |= EFER.longModeActive
                } else if cr4 & CR4.physicalAddressExtension != 0 {
                    try loadPageDirectoryPointers(cr3)
                }
            } else {
                if codeSize == 8 || cr4 & CR4.processContext != 0 { throw .general }
                efer &= ~EFER.longModeActive
            }
        }
        cr0 = new
        if changed & (CR0.paging | CR0.writeProtect | CR0.protection) != 0 {
            translations.forgetContext(globalsToo: true)
        }
        refreshMode()
    }

    private mutating func writeCR3(_ value: UInt64) throws(Trap) {
        var value = value
        var keeps = false
        if isLongMode {
            if cr4 & CR4.processContext != 0 {
                keeps = value >> 63 != 0
                value &= ~(1 << 63)
            }
            guard value >> UInt64(physicalAddressBits) == 0 else { throw .general }
        } else if cr0 & CR0.paging != 0 && cr4 & CR4.physicalAddressExtension != 0 {
            try loadPageDirectoryPointers(value)
        }
        // There is one context for all PCIDs, so that only a load of the same tables may keep translations.
        if !keeps || (value ^ cr3) >> 12 != 0 { translations.forgetContext(globalsToo: false) }
        cr3 = value
        fetchPage = .max
    }

    private mutating func writeCR4(_ value: UInt64) throws(Trap) {
        guard value & ~allowedCR4 == 0 else { throw .general }
        let changed = value ^ cr4
        if isLongMode && value & CR4.physicalAddressExtension == 0 { throw .general }
        if changed & value & CR4.processContext != 0, !isLongMode || cr3 & 0xFFF != 0 { throw .general }
        let reloads = CR4.physicalAddressExtension | CR4.globalPages | CR4.pageSizeExtensions | CR4.smep
        if cr0 & CR0.paging != 0, !isLongMode, value & CR4.physicalAddressExtension != 0, changed & reloads != 0 {
            try loadPageDirectoryPointers(cr3)
        }
        cr4 = value
        if changed & CR4.flushing != 0 { translations.forgetContext(globalsToo: true) }
        refreshMode()
    }

    /// Loads PAE's four pointers; #GP(0) for reserved bits in a present one (SDM vol. 3, 4.4.1).
    private mutating func loadPageDirectoryPointers(_ value: UInt64) throws(Trap) {
        var pointers = InlineArray<4, UInt64>(repeating: 0)
        let reserved: UInt64 = 0x1E6 | ~((1 << UInt64(physicalAddressBits)) - 1)
        for number in 0..<4 {
            let pointer = try readTable((value & 0xFFFF_FFE0) + UInt64(number) * 8, 8, 0)
            if pointer & 1 != 0 && pointer & reserved != 0 { throw .general }
            pointers[number] = pointer
        }
        pageDirectoryPointers = pointers
    }

    private mutating func writeDebugRegister(_ number: UInt8, _ value: UInt64) throws(Trap) {
        switch number {
        case 6:
            guard value >> 32 == 0 else { throw .general }
            debugRegisters[6] = value & 0xE00F | 0xFFFF_0FF0
        case 7:
            guard value >> 32 == 0 else { throw .general }
            debugRegisters[7] = value & ~0xD800 | 0x400
        default: debugRegisters[Int(number)] = value
        }
        refreshMode()
    }
}
