// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import CKVMABI
import KVMABI

/// A virtual processor. Use it on one thread at a time.
@safe public struct VCPU: ~Copyable {
    /// How a KVM_RUN ended.
    public enum RunResult: Equatable, Sendable {
        /// The guest did what user space has to see to: look at `runPage.exit`.
        case exit
        /// EINTR: a signal, or `immediate_exit`. It is never retried here.
        case interrupted
    }

    public let id: UInt32
    public let runPage: RunPage
    let file: DeviceFile
    private let kept: DeviceFile?
    @unsafe private var kick: OpaquePointer?

    init(id: UInt32, file: consuming DeviceFile, kept: consuming DeviceFile?, runPageSize: Int) throws(KVMError) {
        self.id = id
        runPage = try RunPage(file, size: runPageSize)
        self.file = file
        self.kept = kept
    }

    deinit {
        if let kick = unsafe kick { unsafe Syscalls.disarmKick(kick) }
    }

    /// Runs the guest until it needs user space. KVM_RUN
    ///
    /// - Returns: how it ended, and what the call cost in ticks of the TSC.
    public func run() throws(KVMError) -> (result: RunResult, ticks: UInt64) {
        let (result, ticks, _) = try timedRun()
        return (result, ticks)
    }

    /// The same, with the call's time by this machine's TSC. A simulator's ticks are its own clock's: the two differ there. KVM_RUN
    public func timedRun() throws(KVMError) -> (result: RunResult, ticks: UInt64, time: TickSpan) {
        let begin = Host.ticks
        let (result, ticks) = file.kernel.run(file.descriptor, Ioctl.run.request)
        let time = TickSpan(begin: begin, end: Host.ticks)
        switch result {
        case .success: return (.exit, ticks, time)
        case .failure(.interrupted): return (.interrupted, ticks, time)
        case .failure(let errno): throw KVMError(.run, errno)
        }
    }

    /// Makes KVM_RUN on this thread come back with EINTR when the time is up, and again every 20 ms after that, by
    /// setting `immediate_exit` from a signal. timer_create(2)
    public mutating func armKick(milliseconds: UInt64) throws(KVMError) {
        disarmKick()
        switch unsafe Syscalls.armKick(milliseconds, runPage.immediateExitFlag) {
        case .success(let timer): unsafe kick = timer
        case .failure(let errno): throw KVMError(operation: "timer_create", errno: errno)
        }
    }

    public mutating func disarmKick() {
        if let kick = unsafe kick { unsafe Syscalls.disarmKick(kick) }
        unsafe kick = nil
    }

    /// How fast the guest's time-stamp counter is; 0 where the device can't say. KVM_GET_TSC_KHZ
    public func tscKHz() -> UInt32 {
        guard let frequency = try? file.call(.getTscKhz) else { return 0 }
        return UInt32(clamping: frequency)
    }

    /// KVM_GET_REGS
    public func registers() throws(KVMError) -> kvm_regs {
        var registers = kvm_regs()
        try file.call(.getRegs, &registers)
        return registers
    }

    /// KVM_SET_REGS
    public func setRegisters(_ registers: kvm_regs) throws(KVMError) {
        var registers = registers
        try file.call(.setRegs, &registers)
    }

    /// KVM_GET_SREGS
    public func specialRegisters() throws(KVMError) -> kvm_sregs {
        var registers = kvm_sregs()
        try file.call(.getSregs, &registers)
        return registers
    }

    /// KVM_SET_SREGS
    public func setSpecialRegisters(_ registers: kvm_sregs) throws(KVMError) {
        var registers = registers
        try file.call(.setSregs, &registers)
    }

    /// KVM_GET_FPU
    public func fpu() throws(KVMError) -> kvm_fpu {
        var fpu = kvm_fpu()
        try file.call(.getFpu, &fpu)
        return fpu
    }

    /// KVM_SET_FPU
    public func setFPU(_ fpu: kvm_fpu) throws(KVMError) {
        var fpu = fpu
        try file.call(.setFpu, &fpu)
    }
}
