// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// What a guest gets on processors and hosts with less, or more, than the one of the other tests.
@Suite struct ProcessorFeatureTests {
    private func supported(_ machine: FakeMachine) -> [kvm_cpuid_entry2] {
        var entries = [kvm_cpuid_entry2](repeating: kvm_cpuid_entry2(), count: 64)
        let count = lkx_cpuid_supported(
            machine.fake.pointer(to: \.hw)!, machine.fake.pointer(to: \.caps)!, &entries, 64)
        return Array(entries.prefix(Int(count)))
    }

    private func leaf(_ entries: [kvm_cpuid_entry2], _ leaf: UInt32, _ index: UInt32 = 0) -> kvm_cpuid_entry2? {
        entries.first { $0.function == leaf && $0.index == index }
    }

    /// INVPCID, RDTSCP and RDPID fault in a guest without their VMX controls: so they aren't announced.
    @Test(arguments: [(ProcessorModel.skylake, true), (.nested, false)]) func instructionsThatNeedAControl(
        model: ProcessorModel, there: Bool
    ) throws {
        let machine = try FakeMachine(reset: model)
        fake_set_cpuid(machine.fake, 7, 0, 0, 0x27ab, 1 << 22, 0)
        fake_set_cpuid(machine.fake, 0x8000_0001, 0, 0, 0, 0x21, 0x2c10_0800)
        let entries = supported(machine)
        #expect((leaf(entries, 7)!.ebx & 1 << 10 != 0) == there)
        #expect((leaf(entries, 7)!.ecx & 1 << 22 != 0) == there)
        #expect((leaf(entries, 0x8000_0001)!.edx & 1 << 27 != 0) == there)
        #expect((lkx_msr_list(machine.fake.pointer(to: \.hw)!, machine.fake.pointer(to: \.caps)!, nil, 0) > 0))
    }

    @Test func aProcessorWhoseLeavesEndBeforeTheSeventh() throws {
        let machine = try FakeMachine(reset: .skylake)
        fake_set_cpuid(machine.fake, 0, 0, 5, 0x756e_6547, 0x6c65_746e, 0x4965_6e69)
        let entries = supported(machine)
        #expect(
            leaf(entries, 0)?.eax == 5 && leaf(entries, 7) == nil && leaf(entries, 6) == nil
                && leaf(entries, 0xd) == nil)
        #expect(leaf(entries, 1) != nil && leaf(entries, 0x8000_0001) != nil)
    }

    @Test func aHostWithoutXSAVE() throws {
        let machine = try FakeMachine(reset: .skylake)
        machine.fake.pointee.cr4 &= ~(1 << 18)
        let entries = supported(machine)
        #expect(leaf(entries, 1)!.ecx & 1 << 26 == 0 && leaf(entries, 0xd) == nil)
    }

    @Test func avx512NeedsAllOfItsState() throws {
        let machine = try FakeMachine(reset: .skylake)
        fake_set_cpuid(machine.fake, 7, 0, 0, 1 << 16 | 1 << 5, 1 << 1, 0)
        for (xcr0, there) in [(0xe7, true), (0x67, false), (7, false)] as [(UInt64, Bool)] {
            machine.fake.pointee.host_xcr0 = xcr0
            let features = leaf(supported(machine), 7)!
            #expect(
                (features.ebx & 1 << 16 != 0) == there && (features.ecx & 1 << 1 != 0) == there
                    && features.ebx & 1 << 5 != 0)
        }
    }

    /// SDM vol. 1, 13.4.3: in the compacted form a part with that bit starts on 64 bytes.
    @Test func sizesOfTheCompactedForm() throws {
        let machine = try FakeMachine(reset: .skylake)
        fake_set_cpuid(machine.fake, 0xd, 1, 2, 0, 0, 0)
        fake_set_cpuid(machine.fake, 0xd, 2, 0x104, 0x240, 0, 0)
        fake_set_cpuid(machine.fake, 0xd, 5, 0x40, 0x440, 2, 0)
        machine.fake.pointee.vcpu.xcr0 = 0x27
        let table = plat_alloc(machine.fake.pointer(to: \.hw)!, 2 * MemoryLayout<kvm_cpuid_entry2>.stride)!
            .bindMemory(to: kvm_cpuid_entry2.self, capacity: 2)
        for index in 0..<2 as Range<UInt32> {
            table[Int(index)] = kvm_cpuid_entry2(
                function: 0xd, index: index, flags: 1, eax: 0x27, ebx: 0, ecx: 0, edx: 0, padding: (0, 0, 0))
        }
        #expect(lkx_cpuid_set(machine.vcpu, table, 2) == 0)
        var out: [UInt32] = [0, 0, 0, 0]
        lkx_cpuid_answer(machine.vcpu, 0xd, 0, &out)
        #expect(out[1] == 0x480)
        lkx_cpuid_answer(machine.vcpu, 0xd, 1, &out)
        #expect(out[1] == 0x240 + 0x140 + 0x40)
    }

    // MARK: MSRs

    private func get(_ machine: FakeMachine, _ index: UInt32, byGuest: Bool) -> UInt64? {
        var value: UInt64 = 0
        return lkx_msr_get(machine.vcpu, index, &value, byGuest) ? nil : value
    }

    @Test func microcodeRevisionAndMachineChecks() throws {
        let machine = try FakeMachine(reset: .skylake)
        #expect(get(machine, 0x8b, byGuest: true) == 1 << 32)
        // A guest's write asks for the revision; a VMM says it.
        #expect(!lkx_msr_set(machine.vcpu, 0x8b, 5, true) && get(machine, 0x8b, byGuest: true) == 1 << 32)
        #expect(!lkx_msr_set(machine.vcpu, 0x8b, 7 << 32, false) && get(machine, 0x8b, byGuest: true) == 7 << 32)
        #expect(!lkx_msr_set(machine.vcpu, 0x17a, 4, true) && get(machine, 0x17a, byGuest: true) == 4)
    }

    @Test func tscAuxIsThereWithItsInstructions() throws {
        let machine = try FakeMachine(reset: .nested)
        #expect(get(machine, 0xc000_0103, byGuest: true) == nil && lkx_msr_set(machine.vcpu, 0xc000_0103, 1, true))
        #expect(!lkx_msr_set(machine.vcpu, 0xc000_0103, 1, false) && get(machine, 0xc000_0103, byGuest: false) == 1)
    }

    // MARK: creation

    @Test func aVCPUWithoutMemory() throws {
        let machine = try FakeMachine(reset: .skylake)
        let table = machine.fake.pointee.vcpu.cpuid
        machine.fake.pointee.hw.allocations_left = 0
        #expect(lkx_vcpu_init(machine.vcpu) == -ENOMEM)
        machine.fake.pointee.vcpu.cpuid = table
    }

    /// The bound on a guest's time in guest mode counts in units that the processor says.
    @Test(arguments: [(0 as UInt32, 0 as UInt64), (3200, 100)]) func thePreemptionTimer(ticks: UInt32, value: UInt64)
        throws
    {
        let machine = try FakeMachine(reset: .skylake)
        lkx_vcpu_destroy(machine.vcpu)
        #expect(machine.fake.pointee.caps.preemption_timer && machine.fake.pointee.caps.preemption_timer_shift == 5)
        machine.fake.pointee.caps.preemption_ticks = numericCast(ticks)
        #expect(lkx_vcpu_init(machine.vcpu) == 0)
        #expect(machine[VMCS_PIN_CONTROLS] & 1 << 6 == (ticks == 0 ? 0 : 1 << 6))
        #expect(machine[VMCS_PREEMPTION_TIMER_VALUE] == value)
    }
}
