// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The one file of this module that touches libc and raw system calls.
import CKVMSys
import Glibc

enum Syscalls {
    /// open(2) for reading and writing.
    static func open(_ path: String) -> Result<Int32, Errno> {
        let result = unsafe lkx_sys_open(path)
        return result < 0 ? .failure(Errno(rawValue: -result)) : .success(result)
    }

    /// dup(2), close-on-exec.
    static func duplicate(_ descriptor: Int32) -> Result<Int32, Errno> {
        let result = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return result < 0 ? .failure(Errno(rawValue: errno)) : .success(result)
    }

    static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    static func ioctl(_ descriptor: Int32, _ request: UInt32, _ argument: UInt) -> Result<Int, Errno> {
        result(lkx_sys_ioctl(descriptor, UInt(request), argument))
    }

    /// ioctl(KVM_RUN), never retried, and its cost in ticks of the TSC.
    static func run(_ descriptor: Int32, _ request: UInt32) -> (Result<Int, Errno>, ticks: UInt64) {
        var ticks: UInt64 = 0
        let answer = unsafe lkx_sys_run(descriptor, UInt(request), &ticks)
        return (result(answer), ticks)
    }

    /// mmap(2): shared on a descriptor, or private and anonymous without one.
    @unsafe static func map(_ descriptor: Int32?, _ length: Int) -> Result<UnsafeMutableRawPointer, Errno> {
        var address: UnsafeMutableRawPointer?
        let error = unsafe lkx_sys_map(descriptor ?? -1, length, &address)
        guard error == 0, let mapped = unsafe address else { return unsafe .failure(Errno(rawValue: error)) }
        return unsafe .success(mapped)
    }

    @unsafe static func unmap(_ address: UnsafeMutableRawPointer, _ length: Int) { _ = unsafe munmap(address, length) }

    /// madvise(2): a wish, which may come to nothing.
    static func preferLargePages(_ large: Bool, _ address: UInt64, _ length: Int) {
        let start = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address))
        // MADV_HUGEPAGE and MADV_NOHUGEPAGE of <asm-generic/mman-common.h>.
        _ = unsafe madvise(start, length, large ? 14 : 15)
    }

    @unsafe static func armKick(
        _ milliseconds: UInt64, _ flag: UnsafeMutablePointer<UInt8>
    ) -> Result<OpaquePointer, Errno> {
        var kick: OpaquePointer?
        let error = unsafe lkx_sys_kick_arm(milliseconds, flag, &kick)
        guard error == 0, let armed = unsafe kick else { return unsafe .failure(Errno(rawValue: -error)) }
        return unsafe .success(armed)
    }

    @unsafe static func disarmKick(_ kick: OpaquePointer) { unsafe lkx_sys_kick_disarm(kick) }

    static func errnoName(_ number: Int32) -> String? {
        guard let name = unsafe lkx_sys_errno_name(number) else { return nil }
        return unsafe String(cString: name)
    }

    static func errnoText(_ number: Int32) -> String { unsafe String(cString: lkx_sys_errno_text(number)) }

    static func now() -> UInt64 { lkx_sys_now() }

    static func ticks() -> UInt64 { lkx_sys_ticks() }

    static func cpuid(_ leaf: UInt32, _ subleaf: UInt32) -> (eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32) {
        var registers: [UInt32] = [0, 0, 0, 0]
        unsafe lkx_sys_cpuid(leaf, subleaf, &registers)
        return (registers[0], registers[1], registers[2], registers[3])
    }

    private static func result(_ value: Int) -> Result<Int, Errno> {
        value < 0 ? .failure(Errno(rawValue: Int32(truncatingIfNeeded: -value))) : .success(value)
    }
}
