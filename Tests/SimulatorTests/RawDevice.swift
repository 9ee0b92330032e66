// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import KVMABI
import Simulator

/// The simulated device by its bare ioctls, for what the typed handles would not let through.
@safe final class RawDevice: @unchecked Sendable {
    let kernel: SimulatedKernel
    let system: Int32
    let vm: Int32
    let vcpu: Int32
    @unsafe let page: UnsafeMutableRawPointer
    private var memory: [UInt] = []

    /// - Parameter localAPICs: KVM_CAP_SPLIT_IRQCHIP.
    init(logsModifiedPages: Bool = false, postsInterrupts: Bool = false, localAPICs: Bool = false) throws {
        kernel = try SimulatedKernel(logsModifiedPages: logsModifiedPages, postsInterrupts: postsInterrupts)
        system = try kernel.open(SimulatedKernel.path).get()
        vm = Int32(try kernel.ioctl(system, Ioctl.createVm.request, 0).get())
        if localAPICs {
            var capability = kvm_enable_cap()
            capability.cap = UInt32(KVM_CAP_SPLIT_IRQCHIP)
            capability.args.0 = 24
            let result = unsafe withUnsafeMutablePointer(to: &capability) { [kernel, vm] in
                kernel.ioctl(vm, Ioctl.enableCap.request, UInt(bitPattern: $0))
            }
            _ = try result.get()
        }
        vcpu = Int32(try kernel.ioctl(vm, Ioctl.createVcpu.request, 0).get())
        unsafe page = try kernel.map(vcpu, 8192).get()
    }

    deinit {
        unsafe kernel.unmap(page, 8192)
        for descriptor in [vcpu, vm, system] { kernel.close(descriptor) }
        for block in memory { unsafe UnsafeMutableRawPointer(bitPattern: block)?.deallocate() }
    }

    func call(_ descriptor: Int32, _ ioctl: Ioctl, _ argument: UInt = 0) -> Result<Int, Errno> {
        kernel.ioctl(descriptor, ioctl.request, argument)
    }

    func call<Value: BitwiseCopyable>(_ descriptor: Int32, _ ioctl: Ioctl, _ value: inout Value) -> Result<Int, Errno> {
        unsafe withUnsafeMutablePointer(to: &value) { call(descriptor, ioctl, UInt(bitPattern: $0)) }
    }

    /// Pages of this process, filled.
    func allocate(_ bytes: Int, fill: UInt8 = 0, _ contents: [UInt8] = []) -> UInt64 {
        let block = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
        unsafe block.initializeMemory(as: UInt8.self, repeating: fill, count: bytes)
        for (index, byte) in contents.enumerated() {
            unsafe block.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        memory.append(UInt(bitPattern: block))
        return UInt64(UInt(bitPattern: block))
    }

    @discardableResult
    func region(_ slot: UInt32, _ address: UInt64, _ size: UInt64, _ host: UInt64, flags: UInt32 = 0) -> Result<Int, Errno> {
        var region = kvm_userspace_memory_region(
            slot: slot, flags: flags, guest_phys_addr: address, memory_size: size, userspace_addr: host)
        return call(vm, .setUserMemoryRegion, &region)
    }

    /// Real mode, all segments at 0, at an address.
    func start(at rip: UInt64, of descriptor: Int32? = nil) throws {
        let vcpu = descriptor ?? self.vcpu
        var special = kvm_sregs()
        _ = try call(vcpu, .getSregs, &special).get()
        special.cs.base = 0
        special.cs.selector = 0
        _ = try call(vcpu, .setSregs, &special).get()
        var registers = kvm_regs()
        registers.rip = rip
        registers.rflags = 2
        _ = try call(vcpu, .setRegs, &registers).get()
    }

    func run() -> Result<Int, Errno> { call(vcpu, .run) }

    var exitReason: UInt32 { unsafe page.assumingMemoryBound(to: kvm_run.self).pointee.exit_reason }
    /// The first byte of port output.
    var output: UInt8 { unsafe page.load(fromByteOffset: 4096, as: UInt8.self) }
    var failure: UInt64 {
        unsafe page.assumingMemoryBound(to: kvm_run.self).pointee.fail_entry.hardware_entry_failure_reason
    }
}
