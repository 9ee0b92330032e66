// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import KVMABI
import Simulator
import Testing

/// The answers of KVM's ioctls, as a kernel gives them.
@Suite struct IoctlTests {
    private let device: RawDevice

    init() throws { device = try RawDevice() }

    @Test func systemAnswers() {
        #expect(device.call(device.system, .getApiVersion) == .success(12))
        #expect(device.call(device.system, .getApiVersion, 1) == .failure(.invalidArgument))
        #expect(device.call(device.system, .getVcpuMmapSize) == .success(8192))
        #expect(device.call(device.system, .checkExtension, UInt(Capability.userMemory.number)) == .success(1))
        #expect(device.call(device.system, .checkExtension, UInt(Capability.irqchip.number)) == .success(0))
        #expect(device.call(device.system, .checkExtension, 12345) == .success(0))
        #expect(device.call(device.vm, .checkExtension, UInt(Capability.maxVcpus.number)) == .success(64))
        #expect(device.call(device.system, .createVm, 7) == .failure(.invalidArgument))
        #expect(device.kernel.ioctl(device.system, 0x1234, 0) == .failure(.notATypewriter))
    }

    @Test func descriptors() throws {
        #expect(device.kernel.open("/dev/kvm") == .failure(.noSuchFile))
        #expect(device.kernel.ioctl(3, Ioctl.getApiVersion.request, 0) == .failure(.badDescriptor))
        let copy = try device.kernel.duplicate(device.system).get()
        #expect(device.call(copy, .getApiVersion) == .success(12))
        device.kernel.close(copy)
        #expect(device.call(copy, .getApiVersion) == .failure(.badDescriptor))
        #expect(device.kernel.duplicate(copy) == .failure(.badDescriptor))
    }

    @Test func vcpuIDs() {
        #expect(device.call(device.vm, .createVcpu, 0) == .failure(.exists))
        #expect(device.call(device.vm, .createVcpu, 64) == .failure(.invalidArgument))
    }

    @Test func regionsAreChecked() {
        let memory = device.allocate(0x4000)
        #expect(device.region(0, 0, 0x4000, memory) == .success(0))
        #expect(device.region(1, 0x3000, 0x1000, memory) == .failure(.exists))
        #expect(device.region(1, 0x4001, 0x1000, memory) == .failure(.invalidArgument))
        #expect(device.region(1, 0x4000, 0x800, memory) == .failure(.invalidArgument))
        #expect(device.region(1, 0x4000, 0x1000, memory + 1) == .failure(.invalidArgument))
        #expect(device.region(600, 0x4000, 0x1000, memory) == .failure(.invalidArgument))
        #expect(device.region(9, 0, 0, 0) == .failure(.invalidArgument))
        #expect(device.region(0, 0, 0, 0) == .success(0))
    }

    @Test func addressesOutsideOfThisProcessFault() {
        for ioctl in [
            Ioctl.getRegs, .setRegs, .getSregs, .setSregs, .getFpu, .setFpu, .setCpuid2, .getMsrs, .setMsrs, .getVcpuEvents,
            .setVcpuEvents, .getDebugregs, .setDebugregs, .getXsave, .getXsave2, .setXsave, .getSregs2, .setSregs2,
        ] {
            #expect(device.call(device.vcpu, ioctl, 0) == .failure(.badAddress), "\(ioctl)")
            #expect(device.call(device.vcpu, ioctl, 1 << 46) == .failure(.badAddress), "\(ioctl)")
            #expect(device.call(device.vcpu, ioctl, .max) == .failure(.badAddress), "\(ioctl)")
        }
        #expect(device.call(device.vm, .setUserMemoryRegion, 0) == .failure(.badAddress))
    }

    @Test func memoryAheadOfTheGuest() throws {
        let device = try RawDevice()
        var region = kvm_userspace_memory_region2()
        region.memory_size = 0x4000
        region.userspace_addr = device.allocate(0x4000)
        region.flags = UInt32(KVM_MEM_GUEST_MEMFD)
        #expect(device.call(device.vm, .setUserMemoryRegion2, &region) == .failure(.invalidArgument))
        region.flags = 0
        region.guest_memfd = 77
        #expect(device.call(device.system, .setUserMemoryRegion2, &region) == .success(0))
        var range = kvm_pre_fault_memory()
        (range.gpa, range.size) = (0x1000, 0x4000)
        #expect(device.call(device.vcpu, .preFaultMemory, &range) == .success(0))
        #expect(range.gpa == 0x4000 && range.size == 0x1000)
        #expect(device.call(device.vcpu, .preFaultMemory, &range) == .failure(.noSuchFile))
        for capability in [Capability.userMemory2, .preFaultMemory] {
            #expect(device.call(device.vm, .checkExtension, UInt(capability.number)) == .success(1))
        }
        #expect(device.call(device.vm, .setUserMemoryRegion2, 0) == .failure(.badAddress))
        #expect(device.call(device.vcpu, .preFaultMemory, 0) == .failure(.badAddress))
    }

    @Test func ioctlsOfOtherFilesArentTaken() {
        #expect(device.call(device.vm, .getRegs) == .failure(.notATypewriter))
        #expect(device.call(device.vcpu, .createVcpu, 1) == .failure(.notATypewriter))
        #expect(device.call(device.vm, .createIrqchip) == .failure(.notATypewriter))
        #expect(device.call(device.vcpu, .run, 1) == .failure(.invalidArgument))
    }

    @Test func registersAndFPUComeBack() throws {
        var registers = kvm_regs()
        registers.rax = 1
        registers.r15 = 15
        registers.rsp = 0x8000
        registers.rip = 0x1234
        registers.rflags = 0x246
        _ = try device.call(device.vcpu, .setRegs, &registers).get()
        var back = kvm_regs()
        _ = try device.call(device.vcpu, .getRegs, &back).get()
        #expect([back.rax, back.r15, back.rsp, back.rip, back.rflags] == [1, 15, 0x8000, 0x1234, 0x246])

        var fpu = kvm_fpu()
        _ = try device.call(device.vcpu, .getFpu, &fpu).get()
        #expect(fpu.fcw == 0x37F)
        #expect(fpu.mxcsr == 0x1F80)
        fpu.fcw = 0x27F
        fpu.xmm.15.15 = 0xAB
        fpu.fpr.7.0 = 0xCD
        fpu.mxcsr = 0
        _ = try device.call(device.vcpu, .setFpu, &fpu).get()
        var again = kvm_fpu()
        _ = try device.call(device.vcpu, .getFpu, &again).get()
        #expect(again.fcw == 0x27F)
        #expect(again.xmm.15.15 == 0xAB)
        #expect(again.fpr.7.0 == 0xCD)
        #expect(again.mxcsr == 0x1F80)
    }

    @Test func msrLists() throws {
        let system = try System(path: SimulatedKernel.path, in: device.kernel)
        let indices = try system.msrIndices()
        #expect(indices.contains(0xC000_0082))
        var one: (UInt32, UInt32, UInt32, UInt32, UInt64) = (1, 0, 0xC000_0082, 0, 0x1234_5678)
        #expect(device.call(device.vcpu, .setMsrs, &one) == .success(1))
        one.4 = 0
        #expect(device.call(device.vcpu, .getMsrs, &one) == .success(1))
        #expect(one.4 == 0x1234_5678)
        one.2 = 0x1234
        #expect(device.call(device.vcpu, .getMsrs, &one) == .success(0))
        one.0 = 256
        #expect(device.call(device.vcpu, .getMsrs, &one) == .failure(.listTooBig))
    }

    @Test func extendedStateComesBack() throws {
        var fpu = kvm_fpu()
        _ = try device.call(device.vcpu, .getFpu, &fpu).get()
        fpu.fcw = 0x27F
        fpu.fsw = 0x3800
        fpu.ftwx = 0x80
        fpu.xmm.15.15 = 0xAB
        fpu.fpr.7.9 = 0xCD
        fpu.last_ip = 0x1234
        _ = try device.call(device.vcpu, .setFpu, &fpu).get()
        func xsave(_ ioctl: Ioctl, _ image: inout [UInt8]) -> Result<Int, Errno> {
            unsafe image.withUnsafeMutableBytes { device.call(device.vcpu, ioctl, UInt(bitPattern: $0.baseAddress)) }
        }
        var (image, same) = ([UInt8](repeating: 1, count: 4096), [UInt8](repeating: 2, count: 4096))
        _ = try xsave(.getXsave, &image).get()
        _ = try xsave(.getXsave2, &same).get()
        #expect(image == same)
        #expect(image[..<16] == [0x7F, 2, 0, 0x38, 0x80, 0, 0, 0, 0x34, 0x12, 0, 0, 0, 0, 0, 0])
        #expect(image[24..<28] == [0x80, 0x1F, 0, 0] && image[512..<520] == [3, 0, 0, 0, 0, 0, 0, 0])

        // Only what the header names is taken.
        same[24] = 0xC0
        same[512] = 2
        _ = try xsave(.setXsave, &same).get()
        var back = kvm_fpu()
        _ = try device.call(device.vcpu, .getFpu, &back).get()
        #expect(back.fcw == 0x37F && back.fsw == 0 && back.ftwx == 0 && back.fpr.7.9 == 0 && back.xmm.15.15 == 0xAB)
        #expect(back.mxcsr == 0x1FC0)
        _ = try xsave(.setXsave, &image).get()
        _ = try device.call(device.vcpu, .getFpu, &back).get()
        #expect(back.fcw == 0x27F && back.fsw == 0x3800 && back.ftwx == 0x80 && back.fpr.7.9 == 0xCD)
        #expect(back.xmm.15.15 == 0xAB && back.mxcsr == 0x1F80)

        same[512] = 4
        #expect(xsave(.setXsave, &same) == .failure(.invalidArgument))
        var xcrs = kvm_xcrs()
        #expect(device.call(device.vcpu, .getXcrs, &xcrs) == .failure(.invalidArgument), "it has no XSAVE")
    }

    @Test func clockAndCapabilitiesOfAVM() throws {
        var clock = kvm_clock_data()
        clock.clock = 1 << 60
        _ = try device.call(device.vm, .setClock, &clock).get()
        var back = kvm_clock_data()
        _ = try device.call(device.vm, .getClock, &back).get()
        #expect(back.clock >= 1 << 60 && back.clock < 1 << 60 + 60_000_000_000 && back.flags == 14)
        #expect(device.call(device.system, .checkExtension, UInt(Capability.adjustClock.number)) == .success(14))
        clock.flags = 1
        #expect(device.call(device.vm, .setClock, &clock) == .failure(.invalidArgument))
        var capability = kvm_enable_cap()
        capability.cap = Capability.exceptionPayload.number
        capability.args.0 = 1
        #expect(device.call(device.vm, .enableCap, &capability) == .success(0))
        capability.cap = Capability.x86DisableExits.number
        let offered = UInt64(try device.call(device.system, .checkExtension, UInt(capability.cap)).get())
        #expect(offered == 4)
        capability.args.0 = 2
        #expect(device.call(device.vm, .enableCap, &capability) == .failure(.invalidArgument))
        capability.cap = 9999
        #expect(device.call(device.vm, .enableCap, &capability) == .failure(.invalidArgument))
    }

    @Test func featureMSRs() throws {
        var list: (UInt32, UInt32) = (0, 0)
        #expect(device.call(device.system, .getMsrFeatureIndexList, &list) == .failure(.listTooBig) && list.0 == 1)
        #expect(device.call(device.system, .getMsrFeatureIndexList, &list) == .success(0) && list.1 == 0x8B)
        let other = try device.kernel.open(SimulatedKernel.path).get()
        defer { device.kernel.close(other) }
        var one: (UInt32, UInt32, UInt32, UInt32, UInt64) = (1, 0, 0x8B, 0, 0)
        #expect(device.call(other, .getMsrs, &one) == .success(1) && one.4 == 1 << 32)
        one.2 = 0x10
        #expect(device.call(other, .getMsrs, &one) == .success(0))
        #expect(device.call(device.system, .getMsrs, &one) == .success(1), "LiKeX's way it is the vCPU's")
    }
}
