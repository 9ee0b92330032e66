// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import X86

/// Between KVM's structs of registers and the interpreter's state.
extension Processor {
    mutating func load(_ general: kvm_regs, _ special: kvm_sregs, _ fpu: kvm_fpu) {
        for (number, path) in generalPaths.enumerated() { registers[number] = general[keyPath: path] }
        rip = general.rip
        flags = general.rflags
        for (number, path) in segmentPaths.enumerated() { segments[number] = Segment(special[keyPath: path]) }
        ldtr = Segment(special.ldt)
        tr = Segment(special.tr)
        gdtr = DescriptorTable(base: special.gdt.base, limit: special.gdt.limit)
        idtr = DescriptorTable(base: special.idt.base, limit: special.idt.limit)
        (cr0, cr2, cr3, cr4, cr8) = (special.cr0, special.cr2, special.cr3, special.cr4, special.cr8)
        efer = special.efer
        // SDM vol. 3, 25.4.1: what the processor keeps as CPL is SS.DPL.
        privilege = segments[SegmentRegister.ss].privilege
        (interruptShadow, blocksNMI, isHalted, pendingDebug) = (.none, false, false, 0)
        vectors.load(fpu)
        vectors.mxcsr = fpu.mxcsr
        refreshMode()
    }

    var generalRegisters: kvm_regs {
        var general = kvm_regs()
        for (number, path) in generalPaths.enumerated() { general[keyPath: path] = registers[number] }
        general.rip = rip
        general.rflags = flags
        return general
    }

    /// `special` with what an instruction and the delivery of an exception can change.
    func specialRegisters(_ special: kvm_sregs) -> kvm_sregs {
        var special = special
        special.cr2 = cr2
        for (number, path) in segmentPaths.enumerated() {
            let segment = segments[number]
            if segment != Segment(special[keyPath: path]) { special[keyPath: path] = segment.kvm }
        }
        return special
    }
}

/// In the order of their numbers in instructions.
private let generalPaths: [any WritableKeyPath<kvm_regs, UInt64> & Sendable] = [
    \.rax, \.rcx, \.rdx, \.rbx, \.rsp, \.rbp, \.rsi, \.rdi, \.r8, \.r9, \.r10, \.r11, \.r12, \.r13, \.r14, \.r15,
]
private let segmentPaths: [any WritableKeyPath<kvm_sregs, kvm_segment> & Sendable] = [
    \.es, \.cs, \.ss, \.ds, \.fs, \.gs,
]

extension Segment {
    fileprivate init(_ segment: kvm_segment) {
        var access = UInt32(segment.type & 0xF) | UInt32(segment.s & 1) << 4 | UInt32(segment.dpl & 3) << 5
        access |= UInt32(segment.present & 1) << 7 | UInt32(segment.avl & 1) << 12 | UInt32(segment.l & 1) << 13
        access |= UInt32(segment.db & 1) << 14 | UInt32(segment.g & 1) << 15
        if segment.unusable != 0 { access |= Segment.unusableBit }
        self.init(selector: segment.selector, base: segment.base, limit: segment.limit, access: access)
    }

    fileprivate var kvm: kvm_segment {
        var segment = kvm_segment()
        segment.selector = selector
        segment.base = base
        segment.limit = limit
        segment.type = UInt8(access & 0xF)
        segment.s = UInt8(access >> 4 & 1)
        segment.dpl = UInt8(access >> 5 & 3)
        segment.present = UInt8(access >> 7 & 1)
        segment.avl = UInt8(access >> 12 & 1)
        segment.l = UInt8(access >> 13 & 1)
        segment.db = UInt8(access >> 14 & 1)
        segment.g = UInt8(access >> 15 & 1)
        segment.unusable = isUnusable ? 1 : 0
        return segment
    }
}
