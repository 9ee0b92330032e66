// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import CLikexHW
import Synchronization
import VMXSim
import X86

/// A simulated machine with one processor, and the module loaded on it: what kmod/linux keeps for the whole system.
///
/// VMs and vCPUs share it as they share a real one: each vCPU has a VMCS, the processor has caches tagged by VPID. One thread is in
/// the processor at a time; `lock` is that.
@safe final class Machine: @unchecked Sendable {
    let vmx: VMXProcessor
    let bus: GuestBus
    var cpu: Processor
    let lock = ProcessorLock()

    @unsafe let hw: UnsafeMutablePointer<lkx_hw>
    @unsafe let caps: UnsafeMutablePointer<lkx_vmx_caps>
    @unsafe private let processorOps: UnsafeMutablePointer<hw_ops>
    @unsafe let platformOps: UnsafeMutablePointer<plat_ops>
    @unsafe private var bitmap: UnsafeMutableRawPointer?
    @unsafe private var region: UnsafeMutableRawPointer?

    /// The host's MSRs that the module reads and writes, and VM entries' areas of them.
    var msrs = HostMSRs()
    /// Someone wants the guest that runs to leave.
    let kicked = Atomic<Bool>(false)
    /// The notification of posted interrupts waits to be taken.
    let notified = Atomic<Bool>(false)
    /// From this tick of the bus's clock on KVM_RUN ends with EINTR, as for a signal: for fuzzers, whose guests spin.
    var deadline: UInt64 = .max
    /// So many more VM entries, of which a guest's first few tell a fuzzer most, until KVM_RUN ends so.
    var entriesLeft = Int.max
    /// Whether the host has memory of 2 MiB that is all there as one large page. What this process really has nobody says for little.
    var hasLargePages = false
    /// The vCPU in KVM_RUN.
    @unsafe var running: UnsafeMutablePointer<lkx_vcpu>?
    /// The vCPU whose VMCS is current, and whose registers the processor has beyond those of a VMCS.
    weak var loaded: SimulatedVCPU?
    /// Conditions of the core's that must never hold and did.
    private(set) var warnings: [String] = []
    /// Which of the caches' contexts the interpreter's TLB has translations of.
    var translationContext = -1
    /// What trace points of the core there were, since `beginTrace`.
    var trace = MachineTrace()
    /// When local APICs' timers fire, in ticks of the bus's clock, each of which is a nanosecond.
    @unsafe var timers: [UnsafeMutablePointer<lkx_vcpu>: UInt64] = unsafe [:]
    /// The first of `timers`.
    var nextTimer: UInt64 = .max
    /// What others do while a guest runs or waits, each at its tick of the bus's clock, the first first: for tests.
    var meanwhile: [(at: UInt64, act: () -> Void)] = []
    /// The same at the last moment before the next VM entry, when what it delivers is settled.
    var beforeEntry: (() -> Void)?
    private var users = 0
    private var vmCount: UInt64 = 0
    private var vpids: Set<UInt16> = []

    /// Loads the module.
    /// - Throws: what the modelled processor lacks.
    init(_ capabilities: Capabilities = Model.capabilities) throws(MissingFeature) {
        let memory = HostMemory()
        vmx = VMXProcessor(capabilities, memory: memory)
        bus = GuestBus(vmx)
        cpu = Processor(bus: bus)
        cpu.physicalAddressBits = capabilities.physicalAddressBits
        cpu.allowedCR4 = capabilities.cr4Fixed1
        unsafe hw = .allocate(capacity: 1)
        unsafe hw.initialize(to: lkx_hw())
        unsafe caps = .allocate(capacity: 1)
        unsafe caps.initialize(to: lkx_vmx_caps())
        unsafe processorOps = .allocate(capacity: 1)
        unsafe processorOps.initialize(to: Machine.processorHooks())
        unsafe platformOps = .allocate(capacity: 1)
        unsafe platformOps.initialize(to: Machine.platformHooks())
        unsafe Machine.addLocalAPICHooks(&platformOps.pointee)
        unsafe hw.pointee.processor = UnsafePointer(processorOps)
        unsafe hw.pointee.platform = UnsafePointer(platformOps)
        unsafe hw.pointee.allocations_left = -1
        unsafe hw.pointee.context = Unmanaged.passUnretained(self).toOpaque()

        var missing: UnsafePointer<CChar>?
        if unsafe lkx_vmx_caps_read(hw, caps, &missing) != 0 {
            throw MissingFeature(name: unsafe missing.map { unsafe String(cString: $0) } ?? "VMX")
        }
        // PAUSE, which never exits. Halting and waiting, the interpreter would not tell from running.
        unsafe caps.pointee.disable_exits = UInt32(KVM_X86_DISABLE_EXITS_PAUSE)
        // Two pages: the second for vCPUs whose APIC's work the processor does.
        let bitmap = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 4096)
        unsafe self.bitmap = unsafe bitmap
        unsafe region = plat_page_alloc(hw)
        guard let region = unsafe region else { throw MissingFeature(name: "memory") }
        let bits = unsafe bitmap.assumingMemoryBound(to: UInt8.self)
        unsafe lkx_msr_bitmap_init(bits, nil)
        unsafe lkx_msr_bitmap_init(bits + 4096, nil)
        unsafe lkx_lapic_pass_through(bits + 4096, caps.pointee.posted_interrupts)
        unsafe caps.pointee.msr_bitmap_pa = plat_phys(hw, bitmap)
        unsafe region.storeBytes(of: caps.pointee.revision, as: UInt32.self)
    }

    deinit {
        unsafe bitmap?.deallocate()
        unsafe plat_page_free(hw, region)
        unsafe hw.deallocate()
        unsafe caps.deallocate()
        unsafe processorOps.deallocate()
        unsafe platformOps.deallocate()
    }

    /// What the core holds now: pages and objects. The machine's own page doesn't count.
    var held: UInt64 { unsafe hw.pointee.pages - 1 + hw.pointee.objects }

    static func of(_ hw: UnsafeMutablePointer<lkx_hw>?) -> Machine {
        guard let context = unsafe hw?.pointee.context else { preconditionFailure("a hook without its machine") }
        return unsafe Unmanaged<Machine>.fromOpaque(context).takeUnretainedValue()
    }

    /// The first VM puts the processor into VMX operation, the last one takes it out.
    func beginUse() -> Bool {
        if users == 0, unsafe hw_vmxon(hw, plat_phys(hw, region)) { return false }
        users += 1
        return true
    }

    /// A number for a VM that none had before.
    func numberVM() -> UInt64 {
        vmCount += 1
        return vmCount
    }

    func endUse() {
        users -= 1
        if users == 0 { _ = unsafe hw_vmxoff(hw) }
    }

    /// A VPID that no vCPU has; 0 where none is left or the processor has none.
    func allocateVPID() -> UInt16 {
        guard unsafe caps.pointee.vpid else { return 0 }
        let free = (1...UInt16.max).first { !vpids.contains($0) } ?? 0
        if free != 0 { vpids.insert(free) }
        return free
    }

    func freeVPID(_ vpid: UInt16) { vpids.remove(vpid) }

    func warn(_ text: String) { warnings.append(text) }
}

/// What the module can't do without and the modelled processor hasn't got.
struct MissingFeature: Error {
    let name: String
}

/// MSRs of the host, by a dictionary: the module's own and those in VM entries' areas.
struct HostMSRs: MSRFile {
    private var values: [UInt32: UInt64] = [:]
    mutating func read(_ index: UInt32) -> UInt64? { values[index] ?? 0 }
    mutating func write(_ index: UInt32, _ value: UInt64) -> Bool {
        values[index] = value
        return true
    }
}
