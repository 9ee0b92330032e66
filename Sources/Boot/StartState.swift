// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The registers of the first processor when a kernel is entered. What isn't named is as after reset, or zero.
public struct StartState: Equatable, Sendable {
    public var rip: UInt64
    public var rbx: UInt64 = 0
    public var rsi: UInt64 = 0
    /// Bit 1 is always set; interrupts are off.
    public var rflags: UInt64 = 0x2
    public var cr0: UInt64
    public var cr3: UInt64 = 0
    public var cr4: UInt64 = 0
    public var efer: UInt64 = 0
    public var code: SegmentRegister
    /// DS, ES, FS, GS and SS.
    public var data: SegmentRegister
    public var task = SegmentRegister.task
    public var gdtBase: UInt64
    public var gdtLimit: UInt16
    /// An exception before the kernel has its own table is a triple fault.
    public var idtBase: UInt64 = 0
    public var idtLimit: UInt16 = 0

    /// Linux's 64-bit protocol: long mode on an identity map, CS 0x10 and the others 0x18, boot_params in RSI.
    /// Linux, Documentation/arch/x86/boot.rst, "64-bit Boot Protocol".
    public static func linux64(entry: UInt64) -> StartState {
        StartState(
            rip: entry, rsi: Layout.bootParams, cr0: Bit.cr0PE | Bit.cr0ET | Bit.cr0NE | Bit.cr0PG,
            cr3: Layout.pageTables, cr4: Bit.cr4PAE, efer: Bit.eferLME | Bit.eferLMA, code: .code64, data: .data,
            gdtBase: Layout.gdt, gdtLimit: UInt16(Self.gdt(code: .code64).count - 1))
    }

    /// PVH: protected mode without paging, flat segments, the start info's address in EBX.
    /// Xen, docs/misc/pvh.
    public static func pvh(entry: UInt64) -> StartState {
        StartState(
            rip: entry, rbx: Layout.pvhStartInfo, cr0: Bit.cr0PE | Bit.cr0ET | Bit.cr0NE, code: .code32, data: .data,
            gdtBase: Layout.gdt, gdtLimit: UInt16(Self.gdt(code: .code32).count - 1))
    }

    /// The table that its selectors index.
    public var gdt: [UInt8] { Self.gdt(code: code) }

    private static func gdt(code: SegmentRegister) -> [UInt8] {
        // A TSS's descriptor takes two places in long mode.
        let descriptors = [0, 0, code.descriptor, SegmentRegister.data.descriptor, SegmentRegister.task.descriptor, 0]
        return descriptors.reduce(into: []) { $0.append(integer: $1) }
    }

    private enum Bit {
        static let cr0PE: UInt64 = 1 << 0
        static let cr0ET: UInt64 = 1 << 4
        static let cr0NE: UInt64 = 1 << 5
        static let cr0PG: UInt64 = 1 << 31
        static let cr4PAE: UInt64 = 1 << 5
        static let eferLME: UInt64 = 1 << 8
        static let eferLMA: UInt64 = 1 << 10
    }
}
