// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc

/// A list of allowed system calls as the program that the kernel runs at each of them: seccomp(2), in classic BPF.
///
/// The program looks at `struct seccomp_data` of <linux/seccomp.h>: the call's number, the architecture's, and the arguments.
struct CallFilter {
    let rules: [CallRule]

    private enum Offset {
        static let number: UInt32 = 0
        static let architecture: UInt32 = 4
        /// The low half of the argument: this processor is little-endian.
        static func argument(_ index: Int) -> UInt32 { 16 + 8 * UInt32(index) }
    }

    /// Call numbers of the x32 ABI have this bit. <asm/unistd.h>, __X32_SYSCALL_BIT
    static let x32: UInt32 = 0x4000_0000
    /// AUDIT_ARCH_X86_64 of <linux/audit.h>: the ELF machine's number, of 64 bits, little-endian.
    static let architecture: UInt32 = 0xC000_003E
    static let allow = UInt32(SECCOMP_RET_ALLOW)
    static let trap = UInt32(SECCOMP_RET_TRAP)
    /// Of calls whose numbers mean something else.
    static let kill = UInt32(SECCOMP_RET_KILL_PROCESS)

    /// The call is not made, and says this errno.
    static func failure(_ error: Int32) -> UInt32 { UInt32(SECCOMP_RET_ERRNO) | UInt32(error) }

    /// - Precondition: no call has two rules, and none so many alternatives that a jump over them is too far: the rules are this program's own.
    var program: [sock_filter] {
        precondition(Set(rules.map(\.number)).count == rules.count, "two rules for one call")
        var code = [
            Self.load(Offset.architecture), Self.jump(BPF_JEQ, Self.architecture, 1, 0), Self.answer(Self.kill),
            Self.load(Offset.number), Self.jump(BPF_JGE, Self.x32, 0, 1), Self.answer(Self.kill),
        ]
        for rule in rules {
            let block = Self.block(rule)
            guard let length = UInt8(exactly: block.count) else { preconditionFailure("call \(rule.number) has too many conditions") }
            code.append(Self.jump(BPF_JEQ, rule.number, 0, length))
            code += block
        }
        code.append(Self.answer(Self.trap))
        precondition(code.count <= Int(BPF_MAXINSNS), "a filter of \(code.count) instructions")
        return code
    }

    /// What is done for a call whose number is the rule's: it ends with an answer, as the number is lost when an argument is loaded.
    private static func block(_ rule: CallRule) -> [sock_filter] {
        if let error = rule.failure { return [answer(failure(error))] }
        guard !rule.alternatives.isEmpty else { return [answer(allow)] }
        var code: [sock_filter] = []
        var loaded: Int?
        for condition in rule.alternatives {
            switch condition {
            case .equals(let argument, let value):
                if loaded != argument { code.append(load(Offset.argument(argument))) }
                code += [jump(BPF_JEQ, value, 0, 1), answer(allow)]
                loaded = argument
            case .lacks(let argument, let bits):
                if loaded != argument { code.append(load(Offset.argument(argument))) }
                code += [jump(BPF_JSET, bits, 1, 0), answer(allow)]
                loaded = argument
            }
        }
        return code + [answer(trap)]
    }

    private static func load(_ offset: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_LD | BPF_W | BPF_ABS), jt: 0, jf: 0, k: offset)
    }

    private static func jump(_ condition: Int32, _ value: UInt32, _ whenTrue: UInt8, _ whenFalse: UInt8) -> sock_filter {
        sock_filter(code: UInt16(BPF_JMP | condition | BPF_K), jt: whenTrue, jf: whenFalse, k: value)
    }

    private static func answer(_ value: UInt32) -> sock_filter {
        sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: value)
    }

    /// Gives all of this process's threads the filter, for good.
    func install() throws(VMMError) {
        let program = program
        let error = unsafe lkx_vmm_filter(program, UInt32(program.count))
        guard error == 0 else {
            throw VMMError("the filter of system calls", errno: -error, Sandbox.advice)
        }
    }
}
