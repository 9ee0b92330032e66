// SPDX-License-Identifier: MIT OR GPL-2.0-only
@testable import X86

extension Processor {
    /// As after `init`, in place: what it has allocated stays.
    mutating func reset() {
        for number in 0..<18 { registers[number] = 0 }
        for number in 0..<6 { segments[number] = Segment() }
        flags = Flag.fixed
        ldtr = Segment(access: 0x82)
        tr = Segment(access: 0x8B)
        gdtr = DescriptorTable()
        idtr = DescriptorTable()
        (cr0, cr2, cr3, cr4, cr8, efer, xcr0) = (CR0.extensionType, 0, 0, 0, 0, 0, 1)
        debugRegisters = [0, 0, 0, 0, 0, 0, 0xFFFF_0FF0, 0x400]
        msrs = SystemMSRs()
        pageDirectoryPointers = InlineArray(repeating: 0)
        vectors = VectorState()
        privilege = 0
        interruptShadow = .none
        newShadow = .none
        (blocksNMI, isHalted, isRepeating) = (false, false, false)
        (pendingDebug, debugFault, faultAddress, retired) = (0, 0, 0, 0)
        intercepts = []
        interceptedExceptions = 0
        interception = Interception(point: .hlt)
        delivering = nil
        softwareEvent = Delivery(vector: 0, kind: .softwareInterrupt)
        translations.forgetAll()
        translations.context = 0
        fetchPage = .max
        unsupported = UnsupportedCounter()
    }
}

/// What instructions change, to be compared.
struct Snapshot: Equatable {
    private(set) var registers = [UInt64](repeating: 0, count: 17)
    private(set) var flags: UInt64 = 0
    private(set) var segments = [Segment](repeating: Segment(), count: 6)
    private var system: [UInt64] = []
    private var memory: UInt64 = 0

    /// All of it.
    mutating func take(_ processor: borrowing Processor, _ ram: SmallMemory) {
        take(processor)
        system.removeAll(keepingCapacity: true)
        let values: InlineArray<_, UInt64> = [
            processor.cr0, processor.cr2, processor.cr3, processor.cr4, processor.cr8, processor.efer, processor.xcr0,
            processor.retired, processor.pendingDebug, processor.faultAddress, UInt64(processor.privilege),
            UInt64(processor.interruptShadow.rawValue), processor.gdtr.base, processor.idtr.base, processor.tr.base,
            processor.ldtr.base, UInt64(processor.vectors.mxcsr),
        ]
        for index in values.indices { system.append(values[index]) }
        for number in 0..<8 { system.append(processor.debugRegisters[number]) }
        for number in 0..<16 {
            system.append(processor.vectors.xmm[number].x)
            system.append(processor.vectors.xmm[number].y)
        }
        memory = ram.checksum
    }

    /// Registers, flags and segments.
    mutating func take(_ processor: borrowing Processor) {
        for number in 0..<17 { registers[number] = processor.registers[number] }
        for number in 0..<6 { segments[number] = processor.segments[number] }
        flags = processor.flags
    }
}
