// SPDX-License-Identifier: MIT OR GPL-2.0-only
@testable import X86

enum Mode: Int, CaseIterable {
    case real, protected16, protected32, legacyPaging, legacyUser, paePaging, virtual8086, compatibility, long, longUser
}

/// The second byte of an input.
struct Choices: OptionSet {
    let rawValue: UInt8
    static let singleStep = Choices(rawValue: 1)
    static let seesExceptions = Choices(rawValue: 2)
    static let seesInstructions = Choices(rawValue: 4)
    static let interruptsOn = Choices(rawValue: 8)
    static let alignmentCheck = Choices(rawValue: 16)
    static let strictPaging = Choices(rawValue: 32)
    static let breakpoints = Choices(rawValue: 64)
    static let oddTables = Choices(rawValue: 128)
}

/// The state that a run of the machine begins in.
struct Start {
    let mode: Mode
    let choices: Choices
    let seed: UInt64

    private static let values: [UInt64] = [
        0, 1, 2, 0xA000, 0xAFFC, 0xBFFE, 0xCFFF, 0xE000, 0xF000, 0x1000A, 0x11000, 0x20_0000, 0x7FFF_FFFF, 0xFFFF_FFFF,
        0xFFFF_FFF8, 0x7FFF_FFFF_FFFF, 0x8000_0000_0000, 0x8000_0000_0000_0000, .max, .max - 7, 0xC000_0080, 0xFD00_0000,
    ]

    func apply(_ processor: inout Processor) {
        var random = seed
        func next() -> UInt64 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return random >> 24
        }
        func value() -> UInt64 { Self.values[Int(next() % UInt64(Self.values.count))] }
        for number in 0..<16 { processor.registers[number] = next() & 3 == 0 ? next() &* next() : value() }
        for number in 0..<16 { processor.vectors.xmm[number] = SIMD2(value(), next() &* next()) }
        processor.registers[Register.rsp] = next() & 7 == 0 ? value() : SmallMemory.stack
        processor.registers[16] = UInt64(SmallMemory.code)
        processor.flags = Flag.fixed | next() & Flag.status
        if choices.contains(.singleStep) { processor.flags |= Flag.trap }
        if choices.contains(.interruptsOn) { processor.flags |= Flag.interrupt }
        if choices.contains(.alignmentCheck) { processor.flags |= Flag.alignmentCheck }
        if choices.contains(.seesExceptions) { processor.interceptedExceptions = .max }
        if choices.contains(.seesInstructions) { processor.intercepts = .all }
        processor.cr4 = CR4.fxsave | CR4.simdExceptions | CR4.fsgsbase | CR4.debuggingExtensions
        if choices.contains(.strictPaging) {
            processor.cr4 |= CR4.smep | CR4.smap | CR4.userModeInstructionPrevention | CR4.globalPages
        }
        processor.gdtr = DescriptorTable(base: UInt64(SmallMemory.gdt), limit: 0x97)
        processor.idtr = DescriptorTable(base: UInt64(SmallMemory.protectedIDT), limit: 0x1FF)
        processor.tr = Segment(selector: 0x88, base: UInt64(SmallMemory.tss), limit: 0x67, access: 0x8B)
        enterMode(&processor)
        if choices.contains(.breakpoints) {
            for number in 0..<4 { processor.debugRegisters[number] = value() }
            processor.debugRegisters[7] = 0x400 | next() & 0xFFFF_03FF
        }
        if choices.contains(.oddTables) {
            processor.gdtr.base = value()
            processor.tr.base = value()
            if next() & 1 == 0 { processor.idtr.base = value() }
            processor.segments[Int(next() % 6)].base = mode == .long || mode == .longUser ? value() : value() & 0xFFFF_FFFF
        }
    }

    private func enterMode(_ processor: inout Processor) {
        let isProtected = mode != .real
        processor.cr0 = CR0.extensionType | (isProtected ? CR0.protection : 0)
        let isUser = mode == .longUser || mode == .legacyUser || mode == .virtual8086
        let is16 = mode == .real || mode == .protected16 || mode == .virtual8086
        let data: UInt32 = (is16 ? 0x0093 : 0xC093) | (isUser ? 0x60 : 0)
        for number in 0..<6 {
            processor.segments[number] = Segment(
                selector: is16 ? 0 : isUser ? 0x1B : 0x10, limit: is16 ? 0xFFFF : .max, access: data)
        }
        let isLong = mode == .long || mode == .longUser
        processor.segments[SegmentRegister.cs] = Segment(
            selector: is16 ? 0 : isLong ? (isUser ? 0x23 : 8) : isUser ? 0x4B : 0x38, limit: is16 ? 0xFFFF : .max,
            access: (data & 0x60) | (is16 ? (mode == .protected16 ? 0x9B : 0x93) : isLong ? 0xA09B : 0xC09B))
        processor.privilege = isUser ? 3 : 0
        switch mode {
        case .real: processor.idtr = DescriptorTable(base: 0, limit: 0x3FF)
        case .protected16, .protected32: break
        case .virtual8086:
            for number in 0..<6 { processor.segments[number].access = 0xF3 }
            processor.flags |= Flag.virtual8086 | (choices.contains(.oddTables) ? 0 : Flag.ioPrivilege)
        case .legacyPaging, .legacyUser:
            processor.cr0 |= CR0.paging | CR0.writeProtect
            processor.cr4 |= CR4.pageSizeExtensions
            processor.cr3 = UInt64(SmallMemory.legacyDirectory)
        case .paePaging:
            processor.cr0 |= CR0.paging
            processor.cr4 |= CR4.physicalAddressExtension
            processor.cr3 = UInt64(SmallMemory.pointers)
            processor.efer = EFER.noExecute
            for number in [0, 3] { processor.pageDirectoryPointers[number] = UInt64(SmallMemory.directory) | 1 }
        case .compatibility, .long, .longUser:
            processor.cr0 |= CR0.paging | CR0.writeProtect
            processor.cr4 |= CR4.physicalAddressExtension
            processor.cr3 = UInt64(SmallMemory.root)
            processor.efer = EFER.longModeEnable | EFER.longModeActive | EFER.noExecute | EFER.syscall
            processor.idtr = DescriptorTable(base: UInt64(SmallMemory.longIDT), limit: 0x3FF)
            processor.tr = Segment(selector: 0x28, base: UInt64(SmallMemory.longTSS), limit: 0x67, access: 0x8B)
            processor.msrs.lstar = UInt64(SmallMemory.handlers)
            processor.msrs.star = 0x0013_0008_0000_0000
        }
    }
}
