// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// MSRs as a guest's RDMSR and WRMSR and a VMM's ioctls reach them.
@Suite struct MSRTests: MSRAccess {
    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
    }

    @Test(
        arguments: [
            0x480, 0x1d9 + 0x1000, 0xc000_0104, 0xc001_0015, 0x4000_0000, 0x210, 0x24f, 0x257, 0x25a, 0x267, 0x270,
            0x3ff, 0x400,
            0xffff_ffff,
        ] as [UInt32])
    func unknownOnesFault(index: UInt32) {
        #expect(get(index) == nil && get(index, byGuest: false) == nil)
        #expect(!set(index, 0) && !set(index, 0, byGuest: false))
        machine[RCX] = UInt64(index) | 0xdead_0000_0000
        machine[VMCS_GUEST_RIP] = 0x40
        #expect(lkx_exit_rdmsr(machine.vcpu) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP) && machine.raised?.error == 0)
        machine.fake.pointee.vcpu.events = lkx_events()
        #expect(lkx_exit_wrmsr(machine.vcpu) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP))
        #expect(machine[VMCS_GUEST_RIP] == 0x40)
    }

    @Test func valuesComeInTwoHalves() {
        machine.fake.pointee.vcpu.exit.instruction_length = 2
        machine[RCX] = 0xffff_ffff_c000_0082
        machine[RAX] = 0x1111_1111_8123_4567
        machine[RDX] = 0x2222_2222_ffff_ffff
        machine[VMCS_GUEST_RIP] = 0x40
        #expect(lkx_exit_wrmsr(machine.vcpu) == 1)
        #expect(machine.fake.pointee.vcpu.lstar == 0xffff_ffff_8123_4567)
        machine[RAX] = ~0
        machine[RDX] = ~0
        #expect(lkx_exit_rdmsr(machine.vcpu) == 1)
        #expect(machine[RAX] == 0x8123_4567 && machine[RDX] == 0xffff_ffff)
        #expect(machine[VMCS_GUEST_RIP] == 0x44)
    }

    /// What each one that can be written takes, and what not.
    @Test(
        arguments: [
            (0x277, [0, 0x0007_0406_0007_0406], [2, 3, 8, 0x0200_0000_0000_0000]),  // PAT
            (0x2ff, [0, 0xc06, 0x801], [2, 7, 0x1000, 0x300]),  // MTRR_DEF_TYPE
            // APIC_BASE, no local APIC in the kernel and no word of x2APIC
            (0x1b, [0xfee0_0900, 0xfee0_0100], [0xfee0_0901, 1 << 52, 0xfee0_0d00, 0xfee0_0400]),
            (0x175, [0, 0xffff_8000_0000_0000], [0x8000_0000_0000]), (0x176, [1], [1 << 63]),  // SYSENTER
            (0xc000_0082, [0x7fff_ffff_ffff], [0x8000_0000_0000]), (0xc000_0083, [0], [1 << 47]),  // LSTAR, CSTAR
            (0xc000_0084, [0xffff_ffff], [1 << 32]), (0xc000_0103, [0xffff_ffff], [1 << 32]),  // FMASK, TSC_AUX
            (0xc000_0100, [0], [1 << 62]), (0xc000_0101, [~0], [0xfff0_0000_0000_0000]), (0xc000_0102, [5], [1 << 48]),
            (0xc000_0081, [~0], []), (0x1a0, [~0], []),
            (0x1d9, [0, 3], [4, 1 << 6]),
            // MTRRs, physical addresses of 39 bits: a variable range's base and mask, fixed ranges
            (0x200, [0, 0x7f_ffff_f006], [2, 7, 0x106, 0x806, 1 << 39, 1 << 63]),
            (0x20f, [0, 0x7f_ffff_f800], [1, 0x400, 1 << 39]), (0x20e, [0xffff_f000 | 5], [3]),
            (0x250, [0x0606_0504_0100_0606], [2 << 56, 7, 0xff]), (0x259, [6 << 48], [3 << 48]), (0x26f, [1], [8]),
            (0x17b, [], [0, ~0]),  // MCG_CTL, of no bank
            (0x17, [], [0]), (0xfe, [], [0x508]), (0x179, [], [0]), (0x198, [], [0]),  // read-only
        ] as [(UInt32, [UInt64], [UInt64])])
    func values(index: UInt32, good: [UInt64], bad: [UInt64]) {
        let before = get(index)
        for value in bad {
            #expect(!set(index, value), "\(value)")
            #expect(get(index) == before)
        }
        for value in good {
            #expect(set(index, value), "\(value)")
            if index != 0x1d9 { #expect(get(index) == value) }
        }
    }

    /// Ranges of any kind are kept apart from each other.
    @Test func everyMTRRHasItsOwnPlace() {
        let indices = Array(0x200..<0x210) + [0x250, 0x258, 0x259] + Array(0x268..<0x270) as [UInt32]
        for index in indices where index < 0x210 { #expect(set(index, UInt64(index) << 12)) }
        let types: [UInt64] = [0, 1, 4, 5, 6]
        for (number, index) in indices.dropFirst(16).enumerated() {
            #expect(set(index, types[number % 5] << UInt64(8 * (number / 5)) | 0x0600_0000_0000_0000))
        }
        for index in indices where index < 0x210 { #expect(get(index) == UInt64(index) << 12) }
        for (number, index) in indices.dropFirst(16).enumerated() {
            #expect(get(index) == types[number % 5] << UInt64(8 * (number / 5)) | 0x0600_0000_0000_0000)
        }
        #expect(get(0xfe) == 0x508, "eight variable ranges, fixed ones, write-combining")
    }

    /// A guest finds it open, and locks it; only a VMM opens it again.
    @Test func featureControlIsLockedOnce() {
        #expect(get(0x3a) == 0)
        #expect(!set(0x3a, 5) && !set(0x3a, 5, byGuest: false), "no VMX")
        #expect(!set(0x3a, 1 << 18) && !set(0x3a, 1 << 20), "neither SGX nor local machine checks")
        #expect(set(0x3a, 0) && set(0x3a, 1) && get(0x3a) == 1)
        #expect(!set(0x3a, 0) && !set(0x3a, 1) && get(0x3a) == 1)
        #expect(set(0x3a, 0, byGuest: false) && set(0x3a, 1))
    }

    @Test func whatTheProcessorHoldsIsReloadedOnChange() {
        for index in [0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0xc000_0102, 0xc000_0103] as [UInt32] {
            machine.fake.pointee.vcpu.cpu_msrs_changed = false
            #expect(set(index, 0x1000))
            #expect(machine.fake.pointee.vcpu.cpu_msrs_changed)
        }
    }

    @Test func theTSCAndItsAdjustment() {
        machine.fake.pointee.tsc = 1_000_000
        #expect(set(0x10, 5000))
        #expect(get(0x10) == 5000)
        machine.fake.pointee.tsc += 777
        #expect(get(0x10) == 5777)
        // SDM vol. 3, 18.17.3: a write of one moves the other by as much.
        let adjust = get(0x3b)!
        #expect(set(0x10, 6777))
        #expect(get(0x3b) == adjust &+ 1000)
        #expect(set(0x3b, adjust))
        #expect(get(0x10) == 5777)
        #expect(machine[VMCS_TSC_OFFSET] == UInt64(bitPattern: 5777 - 1_000_777))
        // A VMM restores both; neither moves the other.
        #expect(set(0x3b, 42, byGuest: false) && get(0x10) == 5777)
        #expect(set(0x10, 9, byGuest: false) && get(0x3b) == 42)
    }

    @Test func anotherFrequencyNeedsScaling() {
        machine.fake.pointee.tsc = 4_000_000
        #expect(lkx_tsc_set_khz(machine.vcpu, 1_000_000))
        let start = get(0x10)!
        machine.fake.pointee.tsc += 2000
        #expect(get(0x10) == start + 1000)
        #expect(machine[VMCS_TSC_MULTIPLIER] == 1 << 47)
        // Within the clocks' own error the host's rate will do.
        #expect(lkx_tsc_set_khz(machine.vcpu, 2_000_100))
        #expect(machine[VMCS_TSC_MULTIPLIER] == 1 << 48)
        #expect(!lkx_tsc_set_khz(machine.vcpu, 0))
        machine.fake.pointee.caps.tsc_scaling = false
        #expect(!lkx_tsc_set_khz(machine.vcpu, 1_000_000))
        #expect(lkx_tsc_set_khz(machine.vcpu, 2_000_000))
    }

    @Test func theListNamesWhatCanBeReadAndWrittenBack() {
        var list = [UInt32](repeating: 0, count: 64)
        let caps = machine.fake.pointer(to: \.caps)!
        let hw = machine.fake.pointer(to: \.hw)!
        let count = Int(lkx_msr_list(hw, caps, &list, 64))
        #expect(count > 10 && Set(list.prefix(count)).count == count)
        for index in list.prefix(count) {
            let value = get(index, byGuest: false)
            #expect(value != nil && set(index, value!, byGuest: false), "\(String(index, radix: 16))")
        }
        #expect(list.prefix(count).contains(0xc000_0103))
        machine.fake.pointee.caps.rdtscp = false
        list = [UInt32](repeating: 0, count: 64)
        #expect(Int(lkx_msr_list(hw, caps, &list, 3)) == count - 1)
        #expect(list[2] != 0 && list[3] == 0)
    }

    /// Four bitmaps of 1 KiB: reads of 0-1fff and c0000000-c0001fff, then writes. SDM vol. 3, 25.6.9.
    @Test func theBitmapLetsOnlyAFewThrough() {
        var page = [UInt8](repeating: 0, count: 4096)
        lkx_msr_bitmap_init(&page, nil)
        var read: Set<UInt32> = []
        var written: Set<UInt32> = []
        for index in 0..<UInt32(0x4000) {
            let msr = index < 0x2000 ? index : 0xc000_0000 + index - 0x2000
            if page[Int(index / 8)] >> (index % 8) & 1 == 0 { read.insert(msr) }
            if page[2048 + Int(index / 8)] >> (index % 8) & 1 == 0 { written.insert(msr) }
        }
        #expect(written == [0x174, 0x175, 0x176, 0xc000_0100, 0xc000_0101, 0xc000_0102])
        #expect(read == written.union([0x10]))
    }

    /// SYSCALL's MSRs are in the processor only while EFER.SCE is set: whoever switches them has to hear of it.
    @Test func syscallOnAndOffIsAChangeOfTheProcessorsMSRs() {
        for (efer, changes) in [(0x1, true), (0x801, false), (0x800, true), (0x0, false)] as [(UInt64, Bool)] {
            machine.fake.pointee.vcpu.cpu_msrs_changed = false
            lkx_efer_load(machine.vcpu, efer)
            #expect(machine.fake.pointee.vcpu.cpu_msrs_changed == changes)
        }
    }

    @Test func apicBaseChangesAsTheProcessorsDoes() throws {
        var table = kvm_cpuid_entry2()
        table.function = 1
        table.ecx = 1 << 21
        let raw = plat_alloc(machine.fake.pointer(to: \.hw)!, MemoryLayout<kvm_cpuid_entry2>.stride)!
        raw.bindMemory(to: kvm_cpuid_entry2.self, capacity: 1).pointee = table
        #expect(lkx_cpuid_set(machine.vcpu, raw.assumingMemoryBound(to: kvm_cpuid_entry2.self), 1) == 0)
        #expect(set(0x1b, 0xfee0_0d00))  // x2APIC
        #expect(!set(0x1b, 0xfee0_0900))  // not back to xAPIC
        #expect(set(0x1b, 0xfee0_0100))  // off
        #expect(!set(0x1b, 0xfee0_0d00))  // not from off
        #expect(set(0x1b, 0xfee0_0d00, byGuest: false))
    }
}
