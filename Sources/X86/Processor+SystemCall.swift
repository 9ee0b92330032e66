// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// SYSCALL, SYSRET, SYSENTER, SYSEXIT (SDM vol. 2) and their flat segments.
extension Processor {
    private mutating func setFlatCode(_ selector: UInt16, level: UInt8, long: Bool) {
        let size: UInt32 = long ? 0x2000 : 0x4000
        segments[SegmentRegister.cs] = Segment(
            selector: selector, base: 0, limit: .max, access: 0x809B | size | UInt32(level) << 5)
    }

    private mutating func setFlatStack(_ selector: UInt16, level: UInt8) {
        segments[SegmentRegister.ss] = Segment(
            selector: selector, base: 0, limit: .max, access: 0xC093 | UInt32(level) << 5)
    }

    mutating func systemCall() throws(Trap) {
        // Intel's processors know it only in 64-bit mode.
        guard codeSize == 8, efer & EFER.syscall != 0 else { throw .undefined }
        registers[Register.rcx] = rip
        registers[Register.r11] = flags & ~Flag.resume
        rip = msrs.lstar
        let selector = UInt16(truncatingIfNeeded: msrs.star >> 32) & 0xFFFC
        setFlatCode(selector, level: 0, long: true)
        setFlatStack(selector &+ 8, level: 0)
        privilege = 0
        flags = flags & ~(msrs.syscallMask | Flag.resume) | Flag.fixed
        refreshMode()
    }

    mutating func systemReturn(_ size: UInt8) throws(Trap) {
        guard codeSize == 8, efer & EFER.syscall != 0 else { throw .undefined }
        try requirePrivilege()
        let selector = UInt16(truncatingIfNeeded: msrs.star >> 48)
        if size == 8 {
            guard isCanonical(registers[Register.rcx]) else { throw .general }
            rip = registers[Register.rcx]
            setFlatCode((selector &+ 16) | 3, level: 3, long: true)
        } else {
            rip = registers[Register.rcx] & 0xFFFF_FFFF
            setFlatCode(selector | 3, level: 3, long: false)
        }
        setFlatStack((selector &+ 8) | 3, level: 3)
        privilege = 3
        flags = registers[Register.r11] & 0x3C_7FD7 | Flag.fixed
        refreshMode()
    }

    mutating func sysenter() throws(Trap) {
        guard isProtected else { throw .general }
        let selector = UInt16(truncatingIfNeeded: msrs.sysenterCS) & 0xFFFC
        guard selector != 0 else { throw .general }
        flags &= ~(Flag.virtual8086 | Flag.interrupt | Flag.resume)
        setFlatCode(selector, level: 0, long: isLongMode)
        setFlatStack(selector &+ 8, level: 0)
        privilege = 0
        refreshMode()
        registers[Register.rsp] = isLongMode ? msrs.sysenterESP : msrs.sysenterESP & 0xFFFF_FFFF
        rip = isLongMode ? msrs.sysenterEIP : msrs.sysenterEIP & 0xFFFF_FFFF
    }

    mutating func sysexit(_ size: UInt8) throws(Trap) {
        let selector = UInt16(truncatingIfNeeded: msrs.sysenterCS) & 0xFFFC
        guard isProtected, selector != 0, privilege == 0 else { throw .general }
        let isLong = size == 8
        let (target, stack) = (registers[Register.rdx], registers[Register.rcx])
        if isLong {
            guard isCanonical(target), isCanonical(stack) else { throw .general }
        }
        setFlatCode((selector &+ (isLong ? 32 : 16)) | 3, level: 3, long: isLong)
        setFlatStack((selector &+ (isLong ? 40 : 24)) | 3, level: 3)
        privilege = 3
        refreshMode()
        registers[Register.rsp] = isLong ? stack : stack & 0xFFFF_FFFF
        rip = isLong ? target : target & 0xFFFF_FFFF
    }
}
