// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// What is counted, and the file that shows it (KVM_GET_STATS_FD).
@Suite struct StatsTests {
    let machine: FakeMachine

    init() throws { machine = try FakeMachine(reset: .skylake) }

    /// The file's statistics by name, read as its header says.
    private func parse(_ file: inout lkx_stats_file, _ bytes: UInt32) -> [String: UInt64] {
        withUnsafeBytes(of: &file) { raw in
            let header = raw.load(as: kvm_stats_header.self)
            #expect(header.flags == 0 && header.name_size == 48 && Int(bytes) <= raw.count)
            #expect(header.id_offset >= 24 && header.desc_offset >= header.id_offset + header.name_size)
            let step = 16 + Int(header.name_size)
            #expect(Int(header.data_offset) >= Int(header.desc_offset) + step * Int(header.num_desc))
            var found: [String: UInt64] = [:]
            for index in 0..<Int(header.num_desc) {
                let at = Int(header.desc_offset) + step * index
                // Cumulative, no unit, powers of ten; no exponent, one value, no buckets.
                #expect(raw.load(fromByteOffset: at, as: UInt64.self) == 1 << 48)
                #expect(raw.load(fromByteOffset: at + 12, as: UInt32.self) == 0)
                let offset = Int(header.data_offset) + Int(raw.load(fromByteOffset: at + 8, as: UInt32.self))
                #expect(offset % 8 == 0 && offset + 8 <= Int(bytes))
                let name = String(decoding: raw[(at + 16)..<(at + step)].prefix { $0 != 0 }, as: UTF8.self)
                found[name] = raw.load(fromByteOffset: offset, as: UInt64.self)
            }
            #expect(found.count == Int(header.num_desc))
            return found
        }
    }

    private func counted() -> [String: UInt64] {
        var file = lkx_stats_file()
        let bytes = lkx_stats_of_vcpu(&machine.fake.pointee.vcpu.stats, &file)
        return parse(&file, bytes)
    }

    private func exit(_ reason: lkx_exit_reason, _ qualification: UInt64 = 0) -> Int32 {
        machine.fake.pointee.vcpu.exit.reason = reason.rawValue
        machine.fake.pointee.vcpu.exit.qualification = qualification
        return lkx_exit_dispatch(machine.vcpu)
    }

    @Test func eachNameHasItsOwn() {
        machine.fake.pointee.vcpu.stats = lkx_vcpu_stats(
            exits: 1, io_exits: 2, halt_exits: 3, irq_exits: 4, pf_taken: 5, mmio_exits: 6, signal_exits: 7)
        #expect(
            counted() == [
                "exits": 1, "io_exits": 2, "halt_exits": 3, "irq_exits": 4, "pf_taken": 5, "mmio_exits": 6, "signal_exits": 7,
            ])
        var file = lkx_stats_file()
        machine.vm.pointee.ept.generation = 11
        let bytes = lkx_stats_of_vm(machine.vm, &file)
        #expect(parse(&file, bytes) == ["remote_tlb_flush": 11])
    }

    @Test func handlersCount() {
        #expect(exit(EXIT_IO_INSTRUCTION, 0x500 << 16) == 0 && exit(EXIT_IO_INSTRUCTION, 0x500 << 16) == 0)
        #expect(exit(EXIT_HLT) == 0 && exit(EXIT_EXTERNAL_INTERRUPT) == 1)
        #expect(exit(EXIT_EPT_VIOLATION, 4) == 0)
        let now = counted()
        #expect(now["io_exits"] == 2 && now["halt_exits"] == 1 && now["irq_exits"] == 1 && now["pf_taken"] == 1)
    }

    @Test func runsCount() {
        machine[VMCS_GUEST_RIP] = 0x100
        machine[VMCS_GUEST_RFLAGS] = 0x202
        machine.fake.pointee.enters = true
        machine[VMCS_EXIT_REASON] = UInt64(EXIT_HLT.rawValue)
        machine[VMCS_EXIT_INSTRUCTION_LENGTH] = 1
        #expect(lkx_vcpu_run(machine.vcpu) == 0 && lkx_vcpu_run(machine.vcpu) == 0)
        machine[VMCS_EXIT_REASON] = UInt64(EXIT_CPUID.rawValue)
        machine.fake.pointee.polled = -4
        #expect(lkx_vcpu_run(machine.vcpu) == -4)
        let now = counted()
        #expect(now["exits"] == 3 && now["halt_exits"] == 2 && now["signal_exits"] == 1)
    }
}
