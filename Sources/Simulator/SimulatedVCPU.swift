// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CLikexHW
import Glibc
import KVMABI
import VMXSim
import X86

/// A vCPU: what kmod/linux/vcpu.c is to the core. But for `id`, everything is used with the machine's lock held.
@safe final class SimulatedVCPU: @unchecked Sendable {
    let id: UInt32
    let pages = RunPages()
    unowned let vm: SimulatedVM
    let machine: Machine
    @unsafe let core: UnsafeMutablePointer<lkx_vcpu>
    @unsafe private var vmcs: UnsafeMutableRawPointer?
    /// x87 and SSE registers while it isn't in KVM_RUN.
    var vectors = VectorState()
    private var hasLoadedMSRs = false

    init(_ vm: SimulatedVM, id: UInt32) {
        self.id = id
        self.vm = vm
        machine = vm.machine
        unsafe core = .allocate(capacity: 1)
        unsafe core.initialize(to: lkx_vcpu())
        unsafe core.pointee.hw = machine.hw
        unsafe core.pointee.vm = vm.core
        unsafe core.pointee.id = id
        unsafe core.pointee.run = pages.run
        unsafe core.pointee.pio_data = pages.portData
    }

    deinit { unsafe core.deallocate() }

    /// 0 or -errno; after an error nothing is left.
    func create(_ setUp: (SimulatedVCPU) -> Int) -> Int {
        unsafe vmcs = plat_page_alloc(machine.hw)
        guard let vmcs = unsafe vmcs else { return Int(-ENOMEM) }
        unsafe vmcs.storeBytes(of: machine.caps.pointee.revision, as: UInt32.self)
        unsafe core.pointee.vpid = machine.allocateVPID()
        // The processor's view of the page begins with VMCLEAR. SDM vol. 3, 25.11.3.
        _ = unsafe hw_vmclear(machine.hw, plat_phys(machine.hw, vmcs))
        load()
        writeHostState()
        var error = Int(unsafe lkx_vcpu_init(core))
        if error == 0 { error = setUp(self) }
        put()
        if error != 0 { destroy() }
        return error
    }

    func destroy() {
        guard let vmcs = unsafe vmcs else { return }
        _ = unsafe hw_vmclear(machine.hw, plat_phys(machine.hw, vmcs))
        if machine.loaded === self { machine.loaded = nil }
        unsafe plat_page_free(machine.hw, vmcs)
        unsafe self.vmcs = nil
        machine.freeVPID(unsafe core.pointee.vpid)
        unsafe lkx_vcpu_destroy(core)
    }

    /// Its VMCS becomes the current one.
    func load() {
        guard machine.loaded !== self, let vmcs = unsafe vmcs else { return }
        if unsafe hw_vmptrld(machine.hw, plat_phys(machine.hw, vmcs)) { machine.warn("VMPTRLD failed") }
        machine.loaded = self
    }

    /// The end of an ioctl: registers that the processor had for it come back.
    func put() {
        guard hasLoadedMSRs else { return }
        hasLoadedMSRs = false
        unsafe core.pointee.kernel_gs_base = machine.cpu.msrs.kernelGSBase
    }

    /// In KVM_RUN, between two laps: another thread has the processor for a while, at least so many microseconds.
    func giveWay(pausing: UInt32 = 0) {
        vectors = machine.cpu.vectors
        put()
        machine.lock.unlock()
        if pausing != 0 { usleep(pausing) }
        machine.lock.lock()
        load()
        machine.cpu.vectors = vectors
    }

    /// Before VM entry: the MSRs that no VMCS field holds.
    func loadMSRs() {
        machine.cpu.msrs.star = unsafe core.pointee.star
        machine.cpu.msrs.lstar = unsafe core.pointee.lstar
        machine.cpu.msrs.cstar = unsafe core.pointee.cstar
        machine.cpu.msrs.syscallMask = unsafe core.pointee.fmask
        machine.cpu.msrs.tscAux = unsafe core.pointee.tsc_aux
        // A guest writes this one without an exit: the processor's stays until `put`.
        if !hasLoadedMSRs { machine.cpu.msrs.kernelGSBase = unsafe core.pointee.kernel_gs_base }
        hasLoadedMSRs = true
        unsafe core.pointee.cpu_msrs_changed = false
    }

    /// Registers of the host that a VM exit loads, as linux/host_switch.c writes them.
    private func writeHostState() {
        guard let fields = machine.vmx.current else { return }
        let host = machine.vmx.host
        fields[.hostCr0] = host.cr0
        fields[.hostCr3] = host.cr3
        fields[.hostCr4] = host.cr4
        fields[.hostCsSelector] = UInt64(host.cs)
        fields[.hostSsSelector] = UInt64(host.ss)
        fields[.hostTrSelector] = UInt64(host.tr)
        fields[.hostFsBase] = host.fsBase
        fields[.hostGsBase] = host.gsBase
        fields[.hostTrBase] = host.trBase
        fields[.hostGdtrBase] = host.gdtrBase
        fields[.hostIdtrBase] = host.idtrBase
        fields[.hostSysenterCs] = host.sysenterCS
        fields[.hostSysenterEsp] = host.sysenterESP
        fields[.hostSysenterEip] = host.sysenterEIP
        fields[.hostIa32Pat] = host.pat
        fields[.hostIa32Efer] = host.efer
        // There is no code of the host's: nothing is ever executed there.
        fields[.hostRip] = host.sysenterEIP
    }
}
