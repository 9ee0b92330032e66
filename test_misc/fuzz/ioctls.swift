// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=96 -use_counters=0
// Fuzzes the simulated device by its ioctls: any of them in any order, with structs made of the input's bytes and with bad pointers, and a guest that
// runs code of the input's for some dozen instructions. Nothing may be left, warned of, or end the process.
import CKVMABI
import Glibc
import KVM
import KVMABI
@testable import Simulator

@c(LLVMFuzzerTestOneInput)
public func fuzzIoctls(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data = unsafe data, size > 1 else { return 0 }
    var input = unsafe Input(bytes: UnsafeBufferPointer(start: data, count: size))
    unsafe Session.shared.run(&input)
    return 0
}

/// An input, read from its start; zeroes behind its end.
@safe struct Input {
    let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { unsafe self.bytes = unsafe bytes }

    var isEmpty: Bool { unsafe position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard !isEmpty else { return 0 }
        position += 1
        return unsafe bytes[position - 1]
    }

    mutating func word() -> Int { Int(byte()) | Int(byte()) << 8 }
}

/// The one machine, and VMs that live as long as an input.
@safe final class Session {
    nonisolated(unsafe) static let shared = Session()
    /// Of the guest's memory, and of the structs that ioctls are given.
    static let guestBytes = 0x4000
    static let argumentBytes = 0x2000
    /// Guests that spin tell nothing new: a run is short, and those of an input share a budget, behind which they end at once.
    static let ticksPerRun: UInt64 = 64
    static let ticksPerInput: UInt64 = 256
    static let entriesPerRun = 8
    static let entriesPerInput = 24

    private let kernel: SimulatedKernel
    private let guest = UnsafeMutableRawBufferPointer.allocate(byteCount: guestBytes, alignment: 4096)
    private let arguments = UnsafeMutableRawBufferPointer.allocate(byteCount: argumentBytes, alignment: 4096)
    private let ioctls = Ioctl.allCases
    private var system: Int32 = -1
    private var vms: [Int32] = []
    private var vcpus: [Int32] = []
    private var pages: [UInt] = []
    private var ticksLeft: UInt64 = 0
    private var entriesLeft = 0
    /// What a vCPU's special registers are when it is made: always the same.
    private var reset: kvm_sregs?

    init() {
        do throws(KVMError) {
            kernel = try SimulatedKernel()
        } catch { preconditionFailure("no simulator") }
    }

    func run(_ input: inout Input) {
        unsafe guest.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe arguments.initializeMemory(as: UInt8.self, repeating: 0)
        guard case .success(let file) = kernel.open(SimulatedKernel.path) else { preconditionFailure("open") }
        system = file
        ticksLeft = Self.ticksPerInput
        entriesLeft = Self.entriesPerInput
        // The clock of an input is always the same.
        kernel.machine.bus.ticks = 1 << 32
        createVM()
        createVCPU(0)
        setRegion(slot: 0, page: 0, pages: 4, from: 0, flags: 0)
        startInRealMode(isFirst: true)
        while !input.isEmpty { step(&input) }
        closeAll()
        guard kernel.held == 0, kernel.warnings.isEmpty else {
            print("does not hold: the core still has \(kernel.held) pages and objects; what must never be:", kernel.warnings)
            fflush(nil)
            abort()
        }
    }

    private func step(_ input: inout Input) {
        let first = input.byte()
        switch first & 7 {
        case 0, 1: anyIoctl(first >> 3, &input)
        case 2: unsafe patch(arguments, &input, count: Int(first >> 3) & 7)
        case 3: unsafe patch(guest, &input, count: Int(first >> 3) + 1)
        case 4: runVCPU(first >> 3)
        case 5: patchRunPage(&input)
        case 6:
            let what = input.byte()
            setRegion(
                slot: UInt32(first >> 3 & 3), page: UInt64(what & 7), pages: UInt64(what >> 3 & 3), from: UInt64(what >> 5 & 3),
                flags: UInt32(what >> 7) << 1 | UInt32(first >> 5 & 1))
        default: change(first >> 3, &input)
        }
    }

    private var descriptor: [Int32] { [system] + vms + vcpus + [-1] }

    /// Slots are given only memory that is the guest's: others would be this process's own.
    private func anyIoctl(_ choices: UInt8, _ input: inout Input) {
        let files = descriptor
        let ioctl = ioctls[Int(input.byte()) % ioctls.count]
        let elsewhere: [Ioctl] = [.setUserMemoryRegion, .setUserMemoryRegion2, .run, .createVm, .createVcpu]
        if elsewhere.contains(ioctl) { return }
        let base = unsafe UInt(bitPattern: arguments.baseAddress)
        let argument: UInt =
            switch choices >> 2 {
            case 0: UInt(input.byte())
            case 1: [0, 1, 0xFFF, 1 << 47, 1 << 63, .max, .max - 7, 0x1000][Int(input.byte() & 7)]
            default: base + UInt(choices & 0x10) << 4
            }
        // Lists are as long as they say, and must stay in the buffer.
        if argument == base || argument == base + 0x100 {
            limitCount(argument - base)
            if ioctl == .getDirtyLog { placeBitmap(argument - base + 8) }
            if ioctl == .clearDirtyLog { placeBitmap(argument - base + 16) }
        }
        _ = kernel.ioctl(files[Int(choices & 3) % files.count], ioctl.request, argument)
        if choices & 3 != 0, let last = vcpus.last { _ = kernel.ioctl(last, ioctl.request, argument) }
    }

    /// Where a log goes or comes from: in the buffer, or nowhere. Anywhere else it would be written over this program.
    private func placeBitmap(_ offset: UInt) {
        let wanted = unsafe arguments.loadUnaligned(fromByteOffset: Int(offset), as: UInt8.self)
        let base = unsafe UInt64(UInt(bitPattern: arguments.baseAddress))
        let address = wanted & 0x80 != 0 ? UInt64(wanted) : base + 0x800 + UInt64(wanted)
        unsafe arguments.storeBytes(of: address, toByteOffset: Int(offset), as: UInt64.self)
    }

    private func limitCount(_ offset: UInt) {
        let count = unsafe arguments.loadUnaligned(fromByteOffset: Int(offset), as: UInt32.self)
        if count > 64, count < 0x1_0000 {
            unsafe arguments.storeBytes(of: count & 63, toByteOffset: Int(offset), as: UInt32.self)
        }
    }

    private func patch(_ buffer: UnsafeMutableRawBufferPointer, _ input: inout Input, count: Int) {
        let offset = input.word()
        for index in 0...count { unsafe buffer[(offset + index) % buffer.count] = input.byte() }
    }

    private func patchRunPage(_ input: inout Input) {
        guard let last = pages.last, let page = unsafe UnsafeMutableRawPointer(bitPattern: last) else { return }
        unsafe page.storeBytes(of: input.byte(), toByteOffset: input.word() % 0x2000, as: UInt8.self)
    }

    private func runVCPU(_ choices: UInt8) {
        guard !vcpus.isEmpty else { return }
        let machine = kernel.machine
        let (start, entries) = (machine.bus.ticks, min(Self.entriesPerRun, entriesLeft))
        machine.deadline = start &+ min(Self.ticksPerRun, ticksLeft)
        machine.entriesLeft = entries
        _ = kernel.ioctl(vcpus[Int(choices) % vcpus.count], Ioctl.run.request, 0)
        machine.deadline = .max
        ticksLeft -= min(ticksLeft, machine.bus.ticks &- start)
        entriesLeft -= entries - machine.entriesLeft
        machine.entriesLeft = .max
    }

    private func change(_ choices: UInt8, _ input: inout Input) {
        switch choices & 7 {
        case 0: if vms.count < 3 { createVM() }
        case 1: if vcpus.count < 4 { createVCPU(UInt(input.byte())) }
        case 2: if vcpus.count > 1 { kernel.close(vcpus.removeFirst()) }
        case 3: if vms.count > 1 { kernel.close(vms.removeFirst()) }
        case 4: if case .success(let copy) = kernel.duplicate(system) { kernel.close(system); system = copy }
        case 5: runVCPU(choices >> 3)
        default: startInRealMode()
        }
    }

    private func createVM() {
        if case .success(let vm) = kernel.ioctl(system, Ioctl.createVm.request, 0) { vms.append(Int32(vm)) }
    }

    private func createVCPU(_ id: UInt) {
        guard let vm = vms.last, case .success(let vcpu) = kernel.ioctl(vm, Ioctl.createVcpu.request, id) else { return }
        vcpus.append(Int32(vcpu))
        if case .success(let page) = unsafe kernel.map(Int32(vcpu), RunPages.size) { pages.append(UInt(bitPattern: page)) }
    }

    private func setRegion(slot: UInt32, page: UInt64, pages: UInt64, from: UInt64, flags: UInt32) {
        guard let vm = vms.last else { return }
        let room = UInt64(Self.guestBytes / 4096) - from
        var region = kvm_userspace_memory_region(
            slot: slot, flags: flags, guest_phys_addr: page * 4096, memory_size: min(pages, room) * 4096,
            userspace_addr: unsafe UInt64(UInt(bitPattern: guest.baseAddress)) + from * 4096)
        _ = unsafe withUnsafeMutablePointer(to: &region) {
            kernel.ioctl(vm, Ioctl.setUserMemoryRegion.request, UInt(bitPattern: $0))
        }
    }

    /// Segments at 0, RIP at 0: what the input put into memory runs. A vCPU that was just made needs not be asked for the rest.
    private func startInRealMode(isFirst: Bool = false) {
        guard let vcpu = vcpus.last else { return }
        var special = kvm_sregs()
        if isFirst, let reset { special = reset }
        var registers = kvm_regs()
        registers.rflags = 2
        registers.rsp = 0x3F00
        unsafe withUnsafeMutablePointer(to: &special) {
            let address = UInt(bitPattern: $0)
            if !isFirst || reset == nil { _ = kernel.ioctl(vcpu, Ioctl.getSregs.request, address) }
            if isFirst { reset = unsafe $0.pointee }
            unsafe $0.pointee.cs.base = 0
            unsafe $0.pointee.cs.selector = 0
            _ = kernel.ioctl(vcpu, Ioctl.setSregs.request, address)
        }
        _ = unsafe withUnsafeMutablePointer(to: &registers) {
            kernel.ioctl(vcpu, Ioctl.setRegs.request, UInt(bitPattern: $0))
        }
    }

    private func closeAll() {
        for page in pages {
            if let page = unsafe UnsafeMutableRawPointer(bitPattern: page) { unsafe kernel.unmap(page, RunPages.size) }
        }
        pages.removeAll()
        for file in vcpus + vms + [system] { kernel.close(file) }
        vcpus.removeAll()
        vms.removeAll()
    }
}
