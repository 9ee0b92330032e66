// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc
import KVMABI
import MachineConfig
import Testing

@testable import VMM

@Suite("The filter of system calls lets through what is listed, with those arguments, and nothing else")
struct CallFilterTests {
    private func machine(_ change: (inout MachineConfig) -> Void = { _ in }) -> [sock_filter] {
        var config = MachineConfig(kernel: "k")
        change(&config)
        return CallFilter(config, process: 77).program
    }

    private func isAllowed(_ program: [sock_filter], _ call: Int32, _ arguments: UInt64...) -> Bool {
        FilterRun.answer(program, UInt32(call), arguments) == CallFilter.allow
    }

    @Test func everyCall() {
        // As if each rule had no conditions, and as if each argument were the first value of its.
        let rules = [CallRule(1), CallRule(2, failsWith: EACCES), CallRule(7, [.equals(argument: 3, 9), .equals(argument: 0, 4)]), CallRule(300, [.lacks(argument: 5, 0x84)])]
        let program = CallFilter(rules: rules).program
        for call in UInt32(0)...1000 {
            let answer = FilterRun.answer(program, call, [0, 0, 0, 0, 0, 0x84])
            #expect(answer == (call == 1 ? CallFilter.allow : call == 2 ? 0x0005_0000 | 13 : CallFilter.trap), "call \(call)")
        }
        #expect(FilterRun.answer(program, 7, [4]) == CallFilter.allow)
        #expect(FilterRun.answer(program, 7, [5, 0, 0, 9]) == CallFilter.allow)
        #expect(FilterRun.answer(program, 7, [9, 4, 4, 4]) == CallFilter.trap)
        #expect(FilterRun.answer(program, 300, [0x84, 0, 0, 0, 0, 0x7B]) == CallFilter.allow)
        for bit in [UInt64(4), 0x80] { #expect(FilterRun.answer(program, 300, [0, 0, 0, 0, 0, 0x7B | bit]) == CallFilter.trap) }
        // An int's upper half is whatever the register had.
        #expect(FilterRun.answer(program, 7, [0xDEAD_BEEF_0000_0004]) == CallFilter.allow)
    }

    @Test func othersNumbers() {
        let program = machine()
        let read = UInt32(__NR_read)
        #expect(FilterRun.answer(program, read) == CallFilter.allow)
        // i386: its call 3 is read, too, but 0 is restart_syscall.
        #expect(FilterRun.answer(program, read, architecture: 0x4000_0003) == CallFilter.kill)
        for call in [CallFilter.x32 | read, .max, CallFilter.x32] { #expect(FilterRun.answer(program, call) == CallFilter.kill) }
    }

    @Test func theKernelTakesIt() {
        // What the kernel checks: each jump stays inside, and the last instruction answers.
        let program = machine { $0.vsock = .init(cid: 3, path: "v") }
        #expect(program.count <= 4096)
        for (index, one) in program.enumerated() where Int32(one.code) & 7 == BPF_JMP {
            #expect(index + 1 + Int(max(one.jt, one.jf)) < program.count)
        }
        #expect(program.last.map { Int32($0.code) } == BPF_RET | BPF_K)
    }

    @Test func whatNoMachineMayCall() {
        let program = machine {
            $0.networks = [.init(tap: "t")]
            $0.vsock = .init(cid: 3, path: "v")
            $0.control = "q"
        }
        let forbidden = [
            __NR_open, __NR_openat, __NR_openat2, __NR_creat, __NR_execve, __NR_execveat, __NR_fork, __NR_vfork, __NR_clone, __NR_clone3, __NR_ptrace,
            __NR_kill, __NR_tkill, __NR_process_vm_readv, __NR_process_vm_writev, __NR_mount, __NR_chroot, __NR_setuid, __NR_prctl, __NR_seccomp, __NR_bpf,
            __NR_io_uring_setup, __NR_userfaultfd, __NR_memfd_create, __NR_bind, __NR_listen, __NR_sendmsg, __NR_recvmsg, __NR_rename, __NR_link,
            __NR_symlink, __NR_chmod, __NR_fcntl, __NR_dup2, __NR_dup3, __NR_unlinkat, __NR_perf_event_open, __NR_keyctl, __NR_init_module,
            __NR_pidfd_getfd, __NR_rt_tgsigqueueinfo, __NR_arch_prctl, __NR_personality, __NR_modify_ldt, __NR_ftruncate, __NR_shmat,
        ]
        for call in forbidden { #expect(!isAllowed(program, call), "call \(call)") }
        // The Swift runtime tries this one, and goes on without.
        #expect(FilterRun.answer(program, UInt32(__NR_openat)) == CallFilter.failure(EACCES))
    }

    @Test func arguments() {
        let program = machine()
        for ioctl in [Ioctl.run, .signalMsi, .getRegs] { #expect(isAllowed(program, __NR_ioctl, 5, UInt64(ioctl.request))) }
        #expect(isAllowed(program, __NR_ioctl, 0, UInt64(TCSETS)))
        // TIOCSTI types into a terminal; the others make what a machine has already.
        for request in [UInt64(0x5412), UInt64(Ioctl.createVm.request), UInt64(Ioctl.createVcpu.request), UInt64(Ioctl.setUserMemoryRegion.request)] {
            #expect(!isAllowed(program, __NR_ioctl, 5, request))
        }
        for call in [__NR_mmap, __NR_mprotect] {
            #expect(isAllowed(program, call, 0, 4096, UInt64(PROT_READ | PROT_WRITE)))
            #expect(!isAllowed(program, call, 0, 4096, UInt64(PROT_READ | PROT_EXEC)))
        }
        #expect(isAllowed(program, __NR_tgkill, 77, 80, 39))
        #expect(!isAllowed(program, __NR_tgkill, 1, 80, 39))
        #expect(isAllowed(program, __NR_madvise, 0, 4096, UInt64(MADV_DONTNEED)))
        #expect(!isAllowed(program, __NR_madvise, 0, 4096, 12))
        #expect(isAllowed(program, __NR_rt_sigaction, UInt64(SIGABRT)))
        #expect(!isAllowed(program, __NR_rt_sigaction, UInt64(SIGSYS)))
    }

    @Test func onlyWhatTheConfigurationNeeds() {
        let plain = machine()
        let vsock = machine { $0.vsock = .init(cid: 3, path: "v") }
        let control = machine { $0.control = "q" }
        let network = machine { $0.networks = [.init(tap: "t")] }
        for call in [__NR_socket, __NR_connect, __NR_shutdown] {
            #expect(isAllowed(vsock, call, UInt64(AF_UNIX)))
            for other in [plain, control, network] { #expect(!isAllowed(other, call, UInt64(AF_UNIX))) }
        }
        let spare = machine { ($0.control, $0.spareDisks) = ("q", 1) }
        for call in [__NR_recvmsg, __NR_fstat, __NR_lseek] { #expect(isAllowed(spare, call) && !isAllowed(control, call)) }
        for lock in [LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB, LOCK_UN] {
            #expect(isAllowed(spare, __NR_flock, 5, UInt64(lock)) && !isAllowed(control, __NR_flock, 5, UInt64(lock)))
        }
        // One that waits would stop the machine's event loop.
        #expect(!isAllowed(spare, __NR_flock, 5, UInt64(LOCK_EX)))
        #expect(isAllowed(spare, __NR_fcntl, 5, UInt64(F_GETFL)) && !isAllowed(spare, __NR_fcntl, 5, UInt64(F_SETFL)))
        for call in [__NR_open, __NR_newfstatat, __NR_sendmsg, __NR_dup, __NR_pidfd_getfd] { #expect(!isAllowed(spare, call)) }
        #expect(FilterRun.answer(spare, UInt32(__NR_openat)) == CallFilter.failure(EACCES))
        #expect(!isAllowed(vsock, __NR_socket, UInt64(AF_INET)))
        #expect(isAllowed(vsock, __NR_accept4) && isAllowed(control, __NR_accept4) && !isAllowed(plain, __NR_accept4))
        #expect(isAllowed(control, __NR_unlink) && !isAllowed(vsock, __NR_unlink))
        #expect(isAllowed(network, __NR_ioctl, 5, UInt64(lkx_vmm_tap_offload)) && !isAllowed(plain, __NR_ioctl, 5, UInt64(lkx_vmm_tap_offload)))
    }
}
