// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

/// Which controls a VMCS gets on a processor.
@Suite struct VMXCapabilityTests {
    private func read(_ model: ProcessorModel) -> (caps: lkx_vmx_caps?, missing: String?) {
        let machine = FakeMachine()
        for (index, value) in model.msrs { fake_set_msr(machine.fake, index, value) }
        var caps = lkx_vmx_caps()
        var missing: UnsafePointer<CChar>?
        let result = lkx_vmx_caps_read(machine.fake.pointer(to: \.hw)!, &caps, &missing)
        #expect(result == 0 || result == -ENODEV)
        return (result == 0 ? caps : nil, missing.map { String(cString: $0) })
    }

    private func bit(_ control: lkx_control_bit) -> UInt32 { 1 << control.rawValue }

    /// VM entry fails on a control that the MSR does not allow, whatever the model.
    private func allowed(_ controls: UInt32, _ capability: UInt64, _ name: String) {
        #expect(controls & ~UInt32(capability >> 32) == 0, "\(name) has bits that must be 0")
        #expect(~controls & UInt32(truncatingIfNeeded: capability) == 0, "\(name) lacks bits that must be 1")
    }

    @Test(arguments: ProcessorModel.all) func controlsAreWhatTheProcessorAllowsAndTheModuleNeeds(model: ProcessorModel)
        throws
    {
        let caps = try #require(read(model).caps)
        allowed(caps.pin, model.pin, "pin")
        allowed(caps.proc, model.proc, "proc")
        allowed(caps.proc2, model.proc2, "proc2")
        allowed(caps.exit, model.exit, "exit")
        allowed(caps.entry, model.entry, "entry")

        for control in [LKX_BIT_PIN_EXTERNAL_INTERRUPT_EXITING, LKX_BIT_PIN_NMI_EXITING] {
            #expect(caps.pin & bit(control) != 0)
        }
        for control in [
            LKX_BIT_PROC_HLT_EXITING, LKX_BIT_PROC_UNCONDITIONAL_IO_EXITING, LKX_BIT_PROC_MOV_DR_EXITING,
            LKX_BIT_PROC_MWAIT_EXITING, LKX_BIT_PROC_MONITOR_EXITING, LKX_BIT_PROC_SECONDARY_CONTROLS,
        ] {
            #expect(caps.proc & bit(control) != 0)
        }
        #expect(
            caps.proc2 & bit(LKX_BIT_PROC2_ENABLE_EPT) != 0 && caps.proc2 & bit(LKX_BIT_PROC2_UNRESTRICTED_GUEST) != 0)
        #expect(caps.exit & bit(LKX_BIT_EXIT_HOST_ADDRESS_SPACE_SIZE) != 0)
        // Interrupts are taken by the host after the exit; windows and long mode come and go later.
        #expect(caps.exit & bit(LKX_BIT_EXIT_ACKNOWLEDGE_INTERRUPT) == 0)
        #expect(caps.proc & (bit(LKX_BIT_PROC_INTERRUPT_WINDOW_EXITING) | bit(LKX_BIT_PROC_NMI_WINDOW_EXITING)) == 0)
        #expect(caps.entry & bit(LKX_BIT_ENTRY_IA32E_MODE_GUEST) == 0)
        // Nothing that would need state of its own.
        #expect(
            caps.proc2
                & (bit(LKX_BIT_PROC2_ENABLE_XSAVES) | bit(LKX_BIT_PROC2_VIRTUAL_INTERRUPT_DELIVERY)
                    | bit(LKX_BIT_PROC2_VMCS_SHADOWING) | bit(LKX_BIT_PROC2_ENABLE_PML)) == 0)
        #expect(caps.cr0_must == 0x20)
    }

    @Test func differencesBetweenModels() throws {
        let skylake = try #require(read(.skylake).caps)
        let westmere = try #require(read(.westmere).caps)
        let nested = try #require(read(.nested).caps)
        #expect(skylake.revision == 0x2b && skylake.vmcs_bytes == 4096 && skylake.ins_outs_info)
        #expect(skylake.ept_ad && skylake.invept_single && skylake.vpid && skylake.invvpid_address)
        #expect(skylake.tsc_scaling && skylake.rdtscp && skylake.invpcid)
        #expect(skylake.preemption_timer && skylake.preemption_timer_shift == 5)
        #expect(!westmere.ept_ad && !westmere.tsc_scaling && !westmere.invpcid && westmere.rdtscp)
        #expect(!nested.ins_outs_info && !nested.invept_single && !nested.vpid && !nested.rdtscp)
        #expect(skylake.ept_level == 3)
        // Without TRUE MSRs CR3 accesses exit.
        #expect(nested.proc & bit(LKX_BIT_PROC_CR3_LOAD_EXITING) != 0)
        #expect(skylake.proc & bit(LKX_BIT_PROC_CR3_LOAD_EXITING) == 0)
    }

    @Test(arguments: [(0, 1), (1 << 16, 2), (1 << 17, 1), (3 << 16, 3)] as [(UInt64, UInt8)])
    func pageSizesOfTheEPT(bits: UInt64, level: UInt8) throws {
        var model = ProcessorModel.skylake
        model.eptVPID = model.eptVPID & ~(3 << 16) | bits
        let caps = try #require(read(model).caps)
        #expect(caps.ept_level == level)
    }

    @Test func addressWidthsAreTheProcessors() throws {
        let old = try #require(read(.skylake).caps)
        #expect(old.physical_bits == 36 && !old.pages_1gb, "without the leaves that say")
        let machine = try FakeMachine(reset: .skylake)
        #expect(machine.fake.pointee.caps.physical_bits == 39 && machine.fake.pointee.caps.pages_1gb)
    }

    @Test func whatIsMissingIsNamed() {
        func without(_ change: (inout ProcessorModel) -> Void) -> String? {
            var model = ProcessorModel.skylake
            change(&model)
            let (caps, missing) = read(model)
            return caps == nil ? missing : "nothing"
        }
        #expect(without { $0.proc2 &= ~(1 << (32 + 7)) } == "unrestricted guest")
        #expect(without { $0.proc2 &= ~(1 << (32 + 1)) } == "EPT")
        #expect(without { $0.proc &= ~(1 << 63) } == "secondary processor-based controls")
        #expect(without { $0.proc &= ~(1 << (32 + 28)) } == "MSR bitmaps")
        #expect(without { $0.exit &= ~(1 << (32 + 9)) } == "64-bit host")
        #expect(without { $0.eptVPID &= ~(1 << 6) } == "EPT with four levels")
        #expect(without { $0.eptVPID &= ~(1 << 14) } == "EPT with write-back tables")
        #expect(without { $0.eptVPID &= ~(1 << 20) } == "INVEPT")
        #expect(without { $0.eptVPID &= ~(3 << 25) } == "INVEPT")
        #expect(without { $0.basic &= ~(15 << 50) } == "a write-back VMCS of at most 4096 bytes")
        #expect(without { _ in } == "nothing")
    }

    @Test func anyProcessorIsRefusedByNameOrGetsControlsItAllows() {
        var random = Random(seed: 480)
        var accepted = 0
        for _ in 0..<3000 {
            var model = ProcessorModel.sapphireRapids
            // A few bits off, and bits that must be 1 among those that may be.
            func vary(_ capability: inout UInt64) {
                if random.oneIn(3) { capability &= ~(1 << UInt64(32 + random.below(32))) }
                capability |= random.next() & random.next() & 0xffff_ffff
                capability &= capability >> 32 | ~0xffff_ffff
            }
            vary(&model.pin)
            vary(&model.proc)
            vary(&model.proc2)
            vary(&model.exit)
            vary(&model.entry)
            let (caps, missing) = read(model)
            guard let caps else {
                #expect(missing != nil)
                continue
            }
            accepted += 1
            allowed(caps.pin, model.pin, "pin")
            allowed(caps.proc, model.proc, "proc")
            allowed(caps.proc2, model.proc2, "proc2")
            allowed(caps.exit, model.exit, "exit")
            allowed(caps.entry, model.entry, "entry")
        }
        #expect(accepted > 300 && accepted < 3000)
    }
}
