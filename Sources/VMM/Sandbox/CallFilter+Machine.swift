// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc
import KVMABI
import MachineConfig

extension CallFilter {
    /// What the process of a machine calls once it is set up and its threads are there. Found by reading the program and by strace(1) of it;
    /// what only the C library calls is marked so. A call that is made often stands early: the rules are looked at in turn.
    ///
    /// - Parameter process: this one's number: it sends no signal to another.
    init(_ config: MachineConfig, process: Int32) {
        let hasVsock = config.vsock != nil
        let code = UInt32(PROT_EXEC)
        var rules: [CallRule] = [
            CallRule(__NR_ioctl, Self.ioctls(config).map { .equals(argument: 1, $0) }),
            // Locks, and the joining of threads.
            CallRule(__NR_futex), CallRule(__NR_epoll_wait), CallRule(__NR_read), CallRule(__NR_write),
            // Disks and taps.
            CallRule(__NR_preadv), CallRule(__NR_pwritev), CallRule(__NR_readv), CallRule(__NR_writev), CallRule(__NR_fdatasync),
            CallRule(__NR_fallocate), CallRule(__NR_getrandom),
            CallRule(__NR_timerfd_settime), CallRule(__NR_epoll_ctl), CallRule(__NR_poll), CallRule(__NR_close),
            // Where the clock is not one that the C library can read by itself.
            CallRule(__NR_clock_gettime), CallRule(__NR_gettimeofday), CallRule(__NR_time),
            // A processor is kicked: pthread_kill of the C library.
            CallRule(__NR_getpid), CallRule(__NR_gettid), CallRule(__NR_tgkill, [.equals(argument: 0, UInt32(process))]),
            CallRule(__NR_rt_sigprocmask), CallRule(__NR_rt_sigreturn), CallRule(__NR_restart_syscall),
            // Memory: the C library's, never with code in it; and what a balloon gives back.
            CallRule(__NR_brk), CallRule(__NR_munmap), CallRule(__NR_mremap),
            CallRule(__NR_mmap, [.lacks(argument: 2, code)]), CallRule(__NR_mprotect, [.lacks(argument: 2, code)]),
            CallRule(
                __NR_madvise,
                // MADV_REMOVE; MADV_DONTNEED is the C library's too, of the stack of a thread that ends. <asm-generic/mman-common.h>
                [.equals(argument: 2, UInt32(MADV_DONTNEED)), .equals(argument: 2, 9)]),
            // The C library's: how many heaps threads may have.
            CallRule(__NR_sched_getaffinity),
            // The Swift runtime asks how large the main thread's stack is, for which the C library reads /proc/self/maps: not told, it takes the heap.
            CallRule(__NR_openat, failsWith: EACCES),
            // The end: abort(3) sets SIGABRT back to its default, exit(3) looks at what is buffered.
            CallRule(__NR_rt_sigaction, [.equals(argument: 0, UInt32(SIGABRT))]),
            CallRule(__NR_exit), CallRule(__NR_exit_group),
        ]
        if hasVsock || config.control != nil { rules.append(CallRule(__NR_accept4)) }
        // The control socket is taken away when the machine ends.
        if config.control != nil { rules.append(CallRule(__NR_unlink)) }
        if config.spareDisks > 0 {
            rules += [
                // Disks come as descriptors, and are looked at: of what kind, open for what, how large; and locked.
                CallRule(__NR_recvmsg), CallRule(__NR_fstat), CallRule(__NR_lseek), CallRule(__NR_fcntl, [.equals(argument: 1, UInt32(F_GETFL))]),
                CallRule(__NR_flock, [LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB, LOCK_UN].map { .equals(argument: 1, UInt32($0)) }),
            ]
        }
        if hasVsock {
            rules += [
                CallRule(__NR_recvfrom), CallRule(__NR_sendto), CallRule(__NR_shutdown),
                CallRule(__NR_socket, [.equals(argument: 0, UInt32(AF_UNIX))]), CallRule(__NR_connect),
            ]
        }
        self.init(rules: rules)
    }

    /// The vCPUs' and, of the VM, messages and routes; the registers are for instructions that are finished here; taps; and the terminal.
    private static func ioctls(_ config: MachineConfig) -> [UInt32] {
        let kvm: [Ioctl] = [.run, .signalMsi, .setGsiRouting, .getRegs, .setRegs, .getSregs, .setSregs, .getFpu, .setFpu]
        let tap = config.networks.isEmpty ? [] : [lkx_vmm_tap_offload, lkx_vmm_tap_header_size]
        let terminal = [UInt32(TCGETS), UInt32(TCSETS)] + (config.console ? [UInt32(TIOCGWINSZ)] : [])
        return kvm.map(\.request) + tap + terminal
    }
}
