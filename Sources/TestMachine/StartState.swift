// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import CKVMABI
import KVM

/// The state of the processor before a guest's first instruction.
public enum StartState {
    /// Turns the special registers of a vCPU after reset into those of a mode.
    static func set(_ registers: inout kvm_sregs, _ guest: Guest) {
        switch guest.mode {
        case .real16:
            setSegments(
                &registers, code: segment(type: codeType, limit: 0xffff), data: segment(type: dataType, limit: 0xffff))
        case .protected32:
            setProtected32(&registers)
        case .long64:
            setFlat(&registers) { $0.l = 1 }
            registers.cr0 = cr0PE | cr0MP | cr0ET | cr0NE | cr0WP | cr0PG
            registers.cr3 = guest.pageTables.rawValue
            registers.cr4 = cr4PAE
            registers.efer = eferLME | eferLMA
        }
    }

    /// Flat segments of 32 bits, without paging.
    public static func setProtected32(_ registers: inout kvm_sregs) {
        setFlat(&registers) { $0.db = 1 }
        registers.cr0 |= cr0PE
    }

    /// The general registers: RIP at the entry, RFLAGS 2, the rest 0 unless the guest's settings say otherwise.
    static func registers(_ guest: Guest) -> kvm_regs {
        var registers = kvm_regs()
        registers.rip = guest.entry.rawValue
        registers.rflags = 2
        for (register, value) in guest.registers {
            if let path = register.general { registers[keyPath: path] = value }
        }
        return registers
    }

    /// Page tables that map the first GiB to itself in pages of 2 MiB: PML4, PDPT and PD, a page each.
    static func pageTables(at base: GuestAddress) -> [UInt8] {
        let presentWritable: UInt64 = 3
        let large: UInt64 = 1 << 7
        var entries = [UInt64](repeating: 0, count: 3 * 512)
        entries[0] = (base.rawValue &+ 0x1000) | presentWritable
        entries[512] = (base.rawValue &+ 0x2000) | presentWritable
        for index in 0..<512 { entries[1024 + index] = UInt64(index) << 21 | large | presentWritable }
        return entries.flatMap { entry in (0..<8).map { UInt8(truncatingIfNeeded: entry >> (8 * UInt64($0))) } }
    }

    private static let cr0PE: UInt64 = 1 << 0
    private static let cr0MP: UInt64 = 1 << 1
    private static let cr0ET: UInt64 = 1 << 4
    private static let cr0NE: UInt64 = 1 << 5
    private static let cr0WP: UInt64 = 1 << 16
    private static let cr0PG: UInt64 = 1 << 31
    private static let cr4PAE: UInt64 = 1 << 5
    private static let eferLME: UInt64 = 1 << 8
    private static let eferLMA: UInt64 = 1 << 10
    /// Accessed, readable code and accessed, writable data. SDM vol. 3, "Segment Descriptors".
    private static let codeType: UInt8 = 0xb
    private static let dataType: UInt8 = 0x3

    private static func segment(type: UInt8, limit: UInt32, selector: UInt16 = 0) -> kvm_segment {
        var segment = kvm_segment()
        segment.limit = limit
        segment.selector = selector
        segment.type = type
        segment.present = 1
        segment.s = 1
        segment.g = limit > 0xf_ffff ? 1 : 0
        return segment
    }

    private static func setFlat(_ registers: inout kvm_sregs, code kind: (inout kvm_segment) -> Void) {
        var code = segment(type: codeType, limit: 0xffff_ffff, selector: 0x8)
        kind(&code)
        var data = segment(type: dataType, limit: 0xffff_ffff, selector: 0x10)
        data.db = 1
        setSegments(&registers, code: code, data: data)
    }

    private static func setSegments(_ registers: inout kvm_sregs, code: kvm_segment, data: kvm_segment) {
        registers.cs = code
        registers.ds = data
        registers.es = data
        registers.fs = data
        registers.gs = data
        registers.ss = data
    }
}
