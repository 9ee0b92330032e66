// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CLikexHW
import CoreTestSupport
import Glibc
import Testing

/// Accesses to MSRs that a filter denies, and those that user space answers (KVM_X86_SET_MSR_FILTER, KVM_CAP_X86_USER_SPACE_MSR).
@Suite final class MSRFilterTests {
    static let read: UInt32 = 1, write: UInt32 = 2  // KVM_MSR_FILTER_*
    static let deny: UInt32 = 1  // KVM_MSR_FILTER_DEFAULT_DENY
    static let invalid: UInt64 = 1, unknown: UInt64 = 2, filter: UInt64 = 4  // KVM_MSR_EXIT_REASON_*
    static let rip: UInt64 = 0x40, after: UInt64 = 0x42

    /// A range as the VMM gives it; `allowed` counts from `base`.
    struct Range {
        var flags: UInt32
        var base: UInt32
        var count: UInt32
        var allowed: Set<UInt32> = []
    }

    let machine: FakeMachine
    private var run: UnsafeMutablePointer<kvm_run> { fake_run(machine.fake)! }
    private var hw: UnsafeMutablePointer<lkx_hw> { machine.fake.pointer(to: \.hw)! }

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine.fake.pointee.caps.msr_bitmap_pa = 0x7000
        machine.fake.pointee.vcpu.msr_bitmap_pa = 0x7000
    }

    /// Every test ends like a VM: FakeMachine looks for what is left.
    deinit { lkx_msr_filter_destroy(machine.vm) }

    private func make(
        _ flags: UInt32, _ ranges: [Range], bytes: Int = 0x600, to filter: inout UnsafeMutablePointer<lkx_msr_filter>?
    ) -> Int32 {
        var args = kvm_msr_filter()
        args.flags = flags
        let bitmaps = ranges.map { range in
            let bitmap = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes)
            bitmap.initialize(repeating: 0, count: bytes)
            for bit in range.allowed { bitmap[Int(bit / 8)] |= 1 << (bit % 8) }
            return bitmap
        }
        defer { for bitmap in bitmaps { bitmap.deallocate() } }
        withUnsafeMutableBytes(of: &args.ranges) { raw in
            let all = raw.bindMemory(to: kvm_msr_filter_range.self)
            for (index, range) in ranges.enumerated() {
                all[index] = kvm_msr_filter_range(
                    flags: range.flags, nmsrs: range.count, base: range.base, bitmap: bitmaps[index])
            }
        }
        return lkx_msr_filter_make(hw, &args, &filter)
    }

    /// KVM_X86_SET_MSR_FILTER: 0 or -errno.
    private func set(_ flags: UInt32, _ ranges: [Range]) -> Int32 {
        var filter: UnsafeMutablePointer<lkx_msr_filter>?
        let refused = make(flags, ranges, to: &filter)
        if refused != 0 { return refused }
        let error = lkx_msr_filter_replace(machine.vm, filter)
        if error != 0 { plat_free(hw, filter) }
        return error
    }

    private func userSpace(_ reasons: UInt64) -> Int32 {
        var cap = kvm_enable_cap()
        cap.cap = UInt32(KVM_CAP_X86_USER_SPACE_MSR)
        cap.args.0 = reasons
        return lkx_vm_enable_cap(machine.vm, &cap)
    }

    /// The guest goes in, with what flushes brought, and comes out by RDMSR or WRMSR.
    private func access(_ index: UInt32, write value: UInt64? = nil) -> Int32 {
        lkx_tlb_sync(machine.vcpu)
        machine.fake.pointee.vcpu.events = lkx_events()
        machine.fake.pointee.vcpu.exit.reason = (value == nil ? EXIT_MSR_READ : EXIT_MSR_WRITE).rawValue
        machine.fake.pointee.vcpu.exit.instruction_length = 2
        machine[VMCS_GUEST_RIP] = Self.rip
        machine[RCX] = UInt64(index) | 0xffff_ffff_0000_0000
        machine[RAX] = 0xffff_ffff_0000_0000 | (value ?? 0) & 0xffff_ffff
        machine[RDX] = 0xffff_ffff_0000_0000 | (value ?? 0) >> 32
        return lkx_exit_dispatch(machine.vcpu)
    }

    private enum Result: Equatable { case done, fault, user(UInt32), other }
    /// What came of it, and for user space why.
    private func result(_ index: UInt32, write value: UInt64? = nil) -> Result {
        let r = access(index, write: value)
        if r == 0, run.pointee.msr.index == index, machine[VMCS_GUEST_RIP] == Self.rip { return .user(run.pointee.msr.reason) }
        if r == 1, let raised = machine.raised { return raised.vector == UInt8(VECTOR_GP) ? .fault : .other }
        return r == 1 && machine[VMCS_GUEST_RIP] == Self.after ? .done : .other
    }

    /// Accesses that the page in the VMCS lets through to the processor.
    private func direct() -> (read: Set<UInt32>, written: Set<UInt32>) {
        let page = UnsafePointer<UInt8>(bitPattern: UInt(machine[VMCS_MSR_BITMAP]))!
        var found: (read: Set<UInt32>, written: Set<UInt32>) = ([], [])
        for index in 0..<UInt32(0x4000) {
            let msr = index < 0x2000 ? index : 0xc000_0000 + index - 0x2000
            if page[Int(index / 8)] >> (index % 8) & 1 == 0 { found.read.insert(msr) }
            if page[2048 + Int(index / 8)] >> (index % 8) & 1 == 0 { found.written.insert(msr) }
        }
        return found
    }

    @Test func whatIsRefused() {
        #expect(set(2, []) == -EINVAL && set(1 << 31, []) == -EINVAL)
        #expect(set(Self.deny, []) == -EINVAL && set(0, []) == 0)
        #expect(set(Self.deny, [Range(flags: 3, base: 0, count: 0)]) == -EINVAL)
        #expect(set(0, [Range(flags: 0, base: 0, count: 1)]) == -EINVAL)
        #expect(set(0, [Range(flags: 4, base: 0, count: 1)]) == -EINVAL)
        #expect(set(0, [Range(flags: 7, base: 0, count: 1)]) == -EINVAL)
        for count in [0x3001, 0x10000, 0x8000_0000, 0xffff_ffc1, 0xffff_ffff] as [UInt32] {
            #expect(set(0, [Range(flags: 3, base: 0, count: count)]) == -EINVAL, "\(count)")
        }
        #expect(machine.vm.pointee.msr_filter == nil && machine.fake.pointee.kicks == 1)
        #expect(set(0, [Range(flags: 3, base: 0, count: 0x3000)]) == 0)
        // A range without MSRs is none, whatever its flags.
        #expect(set(0, [Range(flags: 0x80, base: 5, count: 0)]) == 0)
        #expect(machine.vm.pointee.msr_filter == nil)
    }

    @Test func noMemoryLeavesTheOldOne() {
        #expect(set(0, [Range(flags: 3, base: 0x10, count: 1)]) == 0)
        for left in 0..<2 {
            hw.pointee.allocations_left = Int64(left)
            #expect(set(Self.deny, [Range(flags: 3, base: 0x10, count: 1)]) == -ENOMEM)
        }
        hw.pointee.allocations_left = -1
        #expect(result(0x10) == .fault && result(0x3a) == .done)
        // And a bitmap that isn't there.
        var args = kvm_msr_filter()
        args.ranges.0 = kvm_msr_filter_range(flags: 3, nmsrs: 1, base: 0, bitmap: UnsafeMutablePointer(bitPattern: 0x5000))
        machine.fake.pointee.gone_from = 0x5000
        machine.fake.pointee.gone_to = 0x6000
        var filter: UnsafeMutablePointer<lkx_msr_filter>?
        #expect(lkx_msr_filter_make(hw, &args, &filter) == -EFAULT && filter == nil)
    }

    @Test func theFirstRangeThatHasIt() {
        #expect(
            set(
                0,
                [
                    Range(flags: Self.read, base: 0x170, count: 16, allowed: [4]),  // 0x174
                    Range(flags: 3, base: 0x174, count: 70, allowed: [1, 67, 69]),  // 0x175, 0x1b7, 0x1b9
                    Range(flags: Self.write, base: 0x277, count: 1),
                ]) == 0)
        #expect(result(0x174) == .done && result(0x174, write: 0) == .fault)
        #expect(result(0x175) == .fault && result(0x175, write: 0) == .done)
        #expect(result(0x176) == .fault && result(0x176, write: 0) == .fault)
        #expect(result(0x277) == .done && result(0x277, write: 0) == .fault)
        // Around the ranges, the default.
        #expect(result(0x1b) == .done && result(0x2ff) == .done && result(0x2ff, write: 0) == .done)
        #expect(set(Self.deny, [Range(flags: Self.read, base: 0xc000_0080, count: 2, allowed: [0, 1])]) == 0)
        #expect(result(0xc000_0080) == .done && result(0xc000_0081) == .done && result(0xc000_0082) == .fault)
        #expect(result(0xc000_0081, write: 0) == .fault && result(0x10) == .fault)
        #expect(set(0, []) == 0)
        #expect(result(0xc000_0082) == .done && result(0xc000_0081, write: 0) == .done)
    }

    /// A range goes on to the last index, not around to the first.
    @Test func aRangeAtTheEnd() {
        #expect(set(0, [Range(flags: 3, base: 0xffff_fff0, count: 0x100)]) == 0)
        #expect(userSpace(7) == 0)
        #expect(result(0xffff_ffff) == .user(UInt32(Self.filter)) && result(0x3a) == .done)
    }

    /// What the processor would do without an exit exits where it is denied, and only there.
    @Test func theProcessorsBitmapFollows() {
        lkx_tlb_sync(machine.vcpu)
        #expect(!machine.fake.pointee.vcpu.msr_filtered && machine.fake.pointee.vcpu.msr_bitmap_pa == 0x7000)
        #expect(set(0, [Range(flags: Self.read, base: 0, count: 0x200), Range(flags: 3, base: 0xc000_0101, count: 2)]) == 0)
        lkx_tlb_sync(machine.vcpu)
        #expect(direct().read == [0xc000_0100])
        #expect(direct().written == [0x174, 0x175, 0x176, 0xc000_0100])
        #expect(set(Self.deny, [Range(flags: 3, base: 0xc000_0102, count: 1, allowed: [0])]) == 0)
        lkx_tlb_sync(machine.vcpu)
        #expect(direct().read == [0xc000_0102] && direct().written == [0xc000_0102])
        #expect(set(0, []) == 0)
        lkx_tlb_sync(machine.vcpu)
        #expect(machine[VMCS_MSR_BITMAP] == 0x7000 && !machine.fake.pointee.vcpu.msr_filtered)
        #expect(machine.fake.pointee.kicks == 3)
    }

    /// The processor has KERNEL_GS_BASE: what exited under a filter that is gone is executed again.
    @Test func aDenialThatIsOverIsTriedAgain() {
        let index: UInt32 = 0xc000_0102
        machine.fake.pointee.vcpu.kernel_gs_base = 0x1234
        #expect(set(0, [Range(flags: 3, base: index, count: 1)]) == 0)
        #expect(result(index) == .fault && result(index, write: 5) == .fault)
        lkx_tlb_sync(machine.vcpu)
        for filter in [[], [Range(flags: 3, base: 0x10, count: 1)]] {
            machine.fake.pointee.vcpu.msr_filtered = true
            #expect(set(0, filter) == 0)
            // Before the next entry, that is.
            machine.fake.pointee.vcpu.events = lkx_events()
            machine[VMCS_GUEST_RIP] = Self.rip
            for handler in [lkx_exit_rdmsr, lkx_exit_wrmsr] {
                #expect(handler(machine.vcpu) == 1 && machine.raised == nil && machine[VMCS_GUEST_RIP] == Self.rip)
            }
            #expect(machine.fake.pointee.vcpu.kernel_gs_base == 0x1234)
        }
    }

    @Test func x2APICIsNotFiltered() {
        #expect(userSpace(Self.filter | Self.unknown) == 0)
        #expect(set(Self.deny, [Range(flags: 3, base: 0x7ff, count: 0x102)]) == 0)
        for index in [0x800, 0x830, 0x8ff] as [UInt32] { #expect(result(index) == .user(UInt32(Self.unknown))) }
        for index in [0x7ff, 0x900] as [UInt32] { #expect(result(index) == .user(UInt32(Self.filter))) }
    }

    // MARK: User space

    @Test func onlyReasonsThatThereAre() {
        #expect(userSpace(8) == -EINVAL && userSpace(1 << 32) == -EINVAL && userSpace(~0) == -EINVAL)
        for reasons in 0...7 as ClosedRange<UInt64> { #expect(userSpace(reasons) == 0) }
    }

    @Test(arguments: [0, 1, 2, 4, 7] as [UInt64]) func userSpaceIsAskedWhereItWantsToBe(reasons: UInt64) {
        #expect(userSpace(reasons) == 0)
        #expect(set(0, [Range(flags: 3, base: 0x10, count: 1)]) == 0)
        func expected(_ reason: UInt64) -> Result { reasons & reason != 0 ? .user(UInt32(reason)) : .fault }
        #expect(result(0x4b56_4dff) == expected(Self.unknown) && result(0x4b56_4dff, write: 1) == expected(Self.unknown))
        #expect(result(0x277, write: 2) == expected(Self.invalid) && result(0xfe, write: 0) == expected(Self.invalid))
        #expect(result(0x10) == expected(Self.filter) && result(0x10, write: 9) == expected(Self.filter))
        #expect(result(0x277) == .done && result(0x2ff, write: 0) == .done)
    }

    /// KVM_RUN after the exit, which is not to enter the guest.
    private func finish() -> Int32 {
        run.pointee.immediate_exit = 1
        return lkx_vcpu_run(machine.vcpu)
    }

    @Test func whatUserSpaceAnswers() {
        #expect(userSpace(Self.unknown) == 0)
        memset(run, 0xff, MemoryLayout<kvm_run>.size)
        run.pointee.cr8 = 0
        #expect(access(0x1234) == 0)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_X86_RDMSR) && run.pointee.msr.reason == UInt32(Self.unknown))
        #expect(run.pointee.msr.error == 0 && run.pointee.msr.data == 0 && run.pointee.msr.pad.6 == 0)
        run.pointee.msr.data = 0x1111_2222_8888_9999
        #expect(finish() == -EINTR)
        #expect(machine[RAX] == 0x8888_9999 && machine[RDX] == 0x1111_2222 && machine[VMCS_GUEST_RIP] == Self.after)
        #expect(access(0x1234, write: 0x5555_6666_7777_8888) == 0)
        #expect(run.pointee.exit_reason == UInt32(KVM_EXIT_X86_WRMSR) && run.pointee.msr.data == 0x5555_6666_7777_8888)
        run.pointee.msr.data = 3
        #expect(finish() == -EINTR)
        #expect(machine[RAX] == 0xffff_ffff_7777_8888 && machine[VMCS_GUEST_RIP] == Self.after && machine.raised == nil)
        // Nothing is left to finish.
        #expect(finish() == -EINTR && machine[VMCS_GUEST_RIP] == Self.after)
    }

    @Test func userSpaceRefuses() {
        #expect(userSpace(Self.unknown) == 0)
        for value in [nil, 7] as [UInt64?] {
            #expect(access(0x1234, write: value) == 0)
            run.pointee.msr.error = 0x80
            run.pointee.msr.data = 5
            let before = machine[RAX]
            #expect(finish() == -EINTR)
            #expect(machine.raised?.vector == UInt8(VECTOR_GP) && machine.raised?.error == 0)
            #expect(machine[VMCS_GUEST_RIP] == Self.rip && machine[RAX] == before)
        }
    }

    @Test func userSpaceMovesTheGuestOn() {
        #expect(userSpace(Self.unknown) == 0)
        #expect(access(0x1234) == 0)
        machine[VMCS_GUEST_RIP] = 0x80
        machine[RAX] = 1
        run.pointee.msr.data = 5
        run.pointee.msr.error = 1
        #expect(finish() == -EINTR)
        #expect(machine[VMCS_GUEST_RIP] == 0x80 && machine[RAX] == 1 && machine.raised == nil)
    }
}
