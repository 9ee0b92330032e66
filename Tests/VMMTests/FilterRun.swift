// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc

/// What the kernel would do with a filter's program for one system call: classic BPF as far as these programs use it. <linux/filter.h>, seccomp(2)
enum FilterRun {
    static func answer(
        _ program: [sock_filter], _ number: UInt32, _ arguments: [UInt64] = [], architecture: UInt32 = 0xC000_003E
    ) -> UInt32? {
        // struct seccomp_data: number, architecture, instruction pointer, six arguments.
        var data: [UInt32] = [number, architecture, 0, 0]
        for index in 0..<6 {
            let argument = index < arguments.count ? arguments[index] : 0
            data += [UInt32(truncatingIfNeeded: argument), UInt32(truncatingIfNeeded: argument >> 32)]
        }
        var (accumulator, next): (UInt32, Int) = (0, 0)
        // Jumps go forward only: it ends.
        while next < program.count {
            let one = program[next]
            next += 1
            func jump(_ isTrue: Bool) { next += Int(isTrue ? one.jt : one.jf) }
            switch Int32(one.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                guard one.k % 4 == 0, Int(one.k / 4) < data.count else { return nil }
                accumulator = data[Int(one.k / 4)]
            case BPF_JMP | BPF_JEQ | BPF_K: jump(accumulator == one.k)
            case BPF_JMP | BPF_JGE | BPF_K: jump(accumulator >= one.k)
            case BPF_JMP | BPF_JSET | BPF_K: jump(accumulator & one.k != 0)
            case BPF_RET | BPF_K: return one.k
            default: return nil
            }
        }
        return nil
    }
}
