// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI

/// A register that guests.json, options and reports name.
public enum Register: String, CaseIterable, Sendable {
    case rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags
    case cr0, cr2, cr3, cr4, cr8, efer

    /// Those that KVM_SET_REGS sets; the others are special registers.
    public static let general = allCases.filter { $0.general != nil }

    /// Where struct kvm_regs has it.
    var general: WritableKeyPath<kvm_regs, UInt64>? {
        switch self {
        case .rax: \.rax
        case .rbx: \.rbx
        case .rcx: \.rcx
        case .rdx: \.rdx
        case .rsi: \.rsi
        case .rdi: \.rdi
        case .rsp: \.rsp
        case .rbp: \.rbp
        case .r8: \.r8
        case .r9: \.r9
        case .r10: \.r10
        case .r11: \.r11
        case .r12: \.r12
        case .r13: \.r13
        case .r14: \.r14
        case .r15: \.r15
        case .rip: \.rip
        case .rflags: \.rflags
        default: nil
        }
    }

    /// Where struct kvm_sregs has it.
    var special: WritableKeyPath<kvm_sregs, UInt64>? {
        switch self {
        case .cr0: \.cr0
        case .cr2: \.cr2
        case .cr3: \.cr3
        case .cr4: \.cr4
        case .cr8: \.cr8
        case .efer: \.efer
        default: nil
        }
    }
}
