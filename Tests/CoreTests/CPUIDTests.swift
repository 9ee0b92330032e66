// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// What CPUID tells a guest.
@Suite struct CPUIDTests {
    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
    }

    /// `sub`: the sub-leaf, where it matters.
    private func leafEntry(_ leaf: UInt32, _ r: [UInt32], sub: UInt32? = nil) -> kvm_cpuid_entry2 {
        kvm_cpuid_entry2(
            function: leaf, index: sub ?? 0, flags: sub == nil ? 0 : 1, eax: r[0], ebx: r[1], ecx: r[2], edx: r[3],
            padding: (0, 0, 0))
    }

    private func set(_ entries: [kvm_cpuid_entry2]) -> Int32 {
        let size = entries.count * MemoryLayout<kvm_cpuid_entry2>.stride
        let table = plat_alloc(machine.fake.pointer(to: \.hw)!, size)!.bindMemory(
            to: kvm_cpuid_entry2.self, capacity: entries.count)
        table.update(from: entries, count: entries.count)
        let result = lkx_cpuid_set(machine.vcpu, table, UInt32(entries.count))
        if result != 0 { plat_free(machine.fake.pointer(to: \.hw)!, table) }
        return result
    }

    private func answer(_ leaf: UInt32, _ index: UInt32 = 0) -> [UInt32] {
        var out: [UInt32] = [1, 2, 3, 4]
        lkx_cpuid_answer(machine.vcpu, leaf, index, &out)
        return out
    }

    /// A VMM's table: two sub-leaves of 4 and of 0xb, an unindexed leaf 2.
    private var table: [kvm_cpuid_entry2] {
        [
            leafEntry(0, [0xd, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
            leafEntry(1, [0x306c3, 0x800, 0x0400_2001 | 1 << 17, 0x078b_fbff]),
            leafEntry(2, [1, 2, 3, 4]),
            leafEntry(4, [0x121, 0, 0, 0], sub: 0), leafEntry(4, [0x122, 0, 0, 0], sub: 1),
            leafEntry(0xb, [0, 1, 0x100, 7], sub: 0), leafEntry(0xb, [1, 4, 0x201, 7], sub: 1),
            leafEntry(0xd, [7, 0, 0x340, 0], sub: 0), leafEntry(0xd, [0xb, 0, 0, 0], sub: 1),
            leafEntry(0x4000_0000, [0x4000_0001, 0x4b4d_564b, 0x564b_4d56, 0x4d]),
            leafEntry(0x4000_0001, [5, 0, 0, 0]),
            leafEntry(0x8000_0000, [0x8000_0001, 0, 0, 0]), leafEntry(0x8000_0001, [0, 0, 1, 0x2000_0800]),
        ]
    }

    /// The last answer is remembered: for the same question only, and not beyond the table it is from.
    @Test func whatIsAskedAgainIsAnsweredFromThisTable() {
        #expect(set(table) == 0)
        for _ in 0..<2 {
            #expect(answer(4, 1)[0] == 0x122)
            #expect(answer(4, 1)[0] == 0x122)
            #expect(answer(4, 0)[0] == 0x121)
            #expect(answer(2, 0) == [1, 2, 3, 4])
        }
        #expect(set([leafEntry(0, [2, 0, 0, 0]), leafEntry(2, [5, 6, 7, 8])]) == 0)
        #expect(answer(2, 0) == [5, 6, 7, 8])
    }

    @Test func lookUpByLeafAndWhereItMattersBySubLeaf() {
        #expect(set(table) == 0)
        #expect(answer(2, 77) == [1, 2, 3, 4])
        #expect(answer(4, 1)[0] == 0x122)
        #expect(answer(4, 9) == [0, 0, 0, 0])
        #expect(answer(3) == [0, 0, 0, 0])
    }

    @Test func beyondTheLastLeafIntelRepeatsTheLastBasicOne() {
        #expect(set(table) == 0)
        #expect(answer(0x20, 0)[2] == 0x340)
        #expect(answer(0x8000_0002, 1)[0] == 0xb)
        #expect(answer(0x4000_0100)[2] == 0x340)
        #expect(answer(0x4000_0001)[0] == 5)
        // AMD's answer with zeros.
        var amd = table
        amd[0].ebx = 0x6874_7541
        #expect(set(amd) == 0)
        #expect(answer(0x20) == [0, 0, 0, 0])
    }

    @Test func aTopologyLevelBeyondTheLastTellsItsNumberAndTheAPICID() {
        #expect(set(table) == 0)
        #expect(answer(0xb, 0x102) == [0, 0, 2, 7])
        #expect(answer(0xb, 1) == [1, 4, 0x201, 7])
    }

    @Test func bitsThatFollowTheGuestsState() {
        #expect(set(table) == 0)
        #expect(answer(1)[2] & 1 << 27 == 0)
        lkx_cr4_load(machine.vcpu, 1 << 18)
        #expect(answer(1)[2] & 1 << 27 != 0)
        #expect(answer(1)[3] & 1 << 9 != 0)
        machine.fake.pointee.vcpu.apic_base &= ~0x800
        #expect(answer(1)[3] & 1 << 9 == 0)
        #expect(answer(0xd, 0)[1] == 576)
        machine.fake.pointee.vcpu.xcr0 = 7
        #expect(answer(0xd, 0)[1] == 0x340)
        #expect(answer(0xd, 1)[1] == 0x340)
    }

    @Test func theExitWritesFourRegistersAndStepsOver() {
        #expect(set(table) == 0)
        machine[VMCS_GUEST_RIP] = 0x100
        machine.fake.pointee.vcpu.exit.instruction_length = 2
        machine[RAX] = 0xffff_ffff_0000_0000
        machine[RCX] = 0xffff_ffff_ffff_ffff
        #expect(lkx_exit_cpuid(machine.vcpu) == 1)
        #expect(
            machine[RAX] == 0xd && machine[RBX] == 0x756e_6547 && machine[RCX] == 0x6c65_746e
                && machine[RDX] == 0x4965_6e69)
        #expect(machine[VMCS_GUEST_RIP] == 0x102)
    }

    @Test func oneTableForAllOfAVCPUsLife() {
        #expect(set(table) == 0)
        #expect(set(table + [leafEntry(0xe, [1, 1, 1, 1])]) == 0)
        machine.fake.pointee.vcpu.has_run = true
        #expect(set(table) == -EINVAL)
        #expect(set(table + [leafEntry(0xe, [1, 1, 1, 1])]) == 0)
    }

    /// Without a table there is nothing to compare: a NULL is not memcmp's.
    @Test func anEmptyTableAgainIsTheSameOne() {
        #expect(lkx_cpuid_set(machine.vcpu, nil, 0) == 0)
        machine.fake.pointee.vcpu.has_run = true
        #expect(lkx_cpuid_set(machine.vcpu, nil, 0) == 0)
        #expect(set(table) == -EINVAL)
    }

    @Test func addressWidthsThatNoProcessorHasAreRefused() {
        #expect(set(table + [leafEntry(0x8000_0008, [0x2f27, 0, 0, 0])]) == -EINVAL)
        #expect(answer(2)[0] != 1, "the old table stays")
        #expect(set(table + [leafEntry(0x8000_0008, [0x3027, 0, 0, 0])]) == 0)
    }

    @Test func whatIsOfferedIsTheProcessorsLessWhatIsNotVirtualized() {
        var entries = [kvm_cpuid_entry2](repeating: kvm_cpuid_entry2(), count: 64)
        let hw = machine.fake.pointer(to: \.hw)!
        let caps = machine.fake.pointer(to: \.caps)!
        let count = lkx_cpuid_supported(hw, caps, &entries, 64)
        let list = entries.prefix(Int(count))
        func find(_ leaf: UInt32, _ index: UInt32 = 0) -> kvm_cpuid_entry2? {
            list.first { $0.function == leaf && $0.index == index }
        }
        #expect(find(0)?.eax == 0xd)
        let features = find(1)!
        #expect(features.ecx & (1 << 5 | 1 << 3 | 1 << 27) == 0, "no VMX, no MONITOR, no OSXSAVE")
        #expect(features.ecx & 1 << 31 != 0, "a hypervisor")
        #expect(features.ecx & 1 << 28 != 0 && find(7)!.ebx & 1 << 5 != 0, "AVX, AVX2")
        #expect(features.edx & 0x5080 == 0x5080, "MTRRs, machine checks")
        #expect(features.ebx & 0xff00_0000 == 0, "no APIC ID")
        #expect(find(6)!.eax == 4, "ARAT: the APIC timer never stops")
        #expect(find(0xd)?.eax == 7 && find(0xd)?.ebx == 0x340 && find(0xd, 2)?.eax == 0x100)
        #expect(find(0x8000_0008)?.eax == 0x3027)
        #expect(find(4, 3)?.eax == 0, "the entry that ends the caches")
        // A host that keeps AVX from guests.
        machine.fake.pointee.host_xcr0 = 3
        let fewer = lkx_cpuid_supported(hw, caps, &entries, 64)
        let narrow = entries.prefix(Int(fewer))
        #expect(narrow.first { $0.function == 1 }!.ecx & 1 << 28 == 0)
        #expect(narrow.first { $0.function == 7 }!.ebx & 1 << 5 == 0)
        #expect(narrow.first { $0.function == 0xd }!.eax == 3)
        // Nothing is written past `max`.
        for room in 0..<Int(count) {
            entries = [kvm_cpuid_entry2](repeating: leafEntry(0xdead, [1, 1, 1, 1]), count: 64)
            machine.fake.pointee.host_xcr0 = 7
            #expect(lkx_cpuid_supported(hw, caps, &entries, UInt32(room)) == -E2BIG)
            #expect(entries[room...].allSatisfy { $0.function == 0xdead })
        }
    }

    @Test func featuresDecideWhichBitsOfCR4TheGuestMaySet() {
        #expect(set(table) == 0)
        #expect(machine.fake.pointee.vcpu.cr4_guest_allowed & (1 << 17) != 0)  // PCIDE by leaf 1
        // no leaf 7; never VMXE
        #expect(machine.fake.pointee.vcpu.cr4_guest_allowed & (1 << 20 | 1 << 21 | 1 << 13) == 0)
        #expect(set(table + [leafEntry(7, [0, 1 << 7 | 1, 4, 0], sub: 0)]) == 0)
        #expect(
            machine.fake.pointee.vcpu.cr4_guest_allowed & (1 << 20 | 1 << 16 | 1 << 11) == 1 << 20 | 1 << 16,
            "SMEP, FSGSBASE; this processor has no UMIP")
        #expect(machine.fake.pointee.vcpu.guest_xcr0_allowed == 7)
    }
    @Test func stateThatNobodySwitchesIsNeverTheGuests() {
        // A host with PKRU (9) and AMX (17, 18), and a VMM that gives its guest all of it.
        machine.fake.pointee.host_xcr0 = 0x602e7
        let generous = table.filter { $0.function != 0xd } + [leafEntry(0xd, [0x602e7, 0, 0, 0], sub: 0)]
        #expect(set(generous) == 0)
        #expect(machine.fake.pointee.vcpu.guest_xcr0_allowed == 0xe7)
        for bad in [0x202, 0x203, 0x60007] as [UInt64] { #expect(lkx_xcr0_set(machine.vcpu, bad), "\(bad)") }
    }
    @Test func noOSXSAVEOnAHostWithoutIt() {
        machine.fake.pointee.cr4 &= ~(1 << 18)
        #expect(set(table + [leafEntry(1, [0, 0, 1 << 26, 0])]) == 0)
        #expect(machine.fake.pointee.vcpu.cr4_guest_allowed & 1 << 18 == 0)
    }
}
