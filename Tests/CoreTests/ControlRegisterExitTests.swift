// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// Exits of MOV to and from control registers, CLTS and LMSW. SDM vol. 3, table 28-3.
@Suite struct ControlRegisterExitTests {
    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine.addSlot(0, bytes: 0x10000)
        machine[VMCS_GUEST_RIP] = 0x100
        machine.fake.pointee.vcpu.exit.reason = EXIT_CR_ACCESS.rawValue
        machine.fake.pointee.vcpu.exit.instruction_length = 3
    }

    private enum Kind: UInt64 { case to, from, clts, lmsw }

    private func access(_ kind: Kind, _ cr: UInt64 = 0, _ gpr: UInt64 = 3, source: UInt64 = 0) -> Int32 {
        machine.fake.pointee.vcpu.exit.qualification = cr | kind.rawValue << 4 | gpr << 8 | source << 16
        return lkx_exit_dispatch(machine.vcpu)
    }

    private var stepped: Bool { machine[VMCS_GUEST_RIP] == 0x103 && machine.raised == nil }

    @Test func cr3IsWrittenAndReadAndForgetsTranslations() {
        machine.fake.pointee.vcpu.tlb_generation = 5
        machine[RBX] = 0xffff_ffff_0000_5000
        #expect(access(.to, 3) == 1)
        #expect(machine[VMCS_GUEST_CR3] == 0x5000, "32 bits outside of 64-bit mode")
        #expect(machine.fake.pointee.vcpu.tlb_generation == ~0 && stepped)
        #expect(access(.from, 3, 6) == 1)
        #expect(machine[RSI] == 0x5000)
    }

    @Test func theStackPointerIsARegisterToo() {
        machine[RSP] = 0x7000
        #expect(access(.to, 3, 4) == 1)
        #expect(machine[VMCS_GUEST_CR3] == 0x7000)
    }

    @Test func cr0AndCr4() {
        machine[RBX] = 0x11
        #expect(access(.to, 0) == 1)
        #expect(lkx_cr0(machine.vcpu) == 0x11 && stepped)
        machine[VMCS_GUEST_RIP] = 0x100
        machine[RBX] = 0x30
        #expect(access(.to, 4) == 1)
        #expect(lkx_cr4(machine.vcpu) == 0x30 && stepped)
        machine[RBX] = 1 << 13  // VMXE
        #expect(access(.to, 4) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP) && machine[VMCS_GUEST_RIP] == 0x103)
    }

    /// A lower task priority may let an interrupt in, which user space has to deliver.
    @Test func cr8() {
        machine[RBX] = 9
        #expect(access(.to, 8) == 1 && stepped)
        machine[RBX] = 4
        #expect(access(.to, 8) == 0)
        #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_SET_TPR))
        #expect(access(.from, 8, 2) == 1)
        #expect(machine[RDX] == 4)
        machine[RBX] = 16
        #expect(access(.to, 8) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP) && machine.fake.pointee.vcpu.cr8 == 4)
    }

    @Test func registersThatAreNotThere() {
        for (kind, cr) in [(.to, 1), (.to, 2), (.to, 15), (.from, 0), (.from, 5)] as [(Kind, UInt64)] {
            machine.fake.pointee.vcpu.events = lkx_events()
            #expect(access(kind, cr) == 1)
            #expect(machine.raised?.vector == UInt8(VECTOR_UD) && machine[VMCS_GUEST_RIP] == 0x100)
        }
    }

    @Test func taskSwitchedAndMachineStatusWord() {
        #expect(!lkx_cr0_set(machine.vcpu, 0x19))
        #expect(access(.clts) == 1)
        #expect(lkx_cr0(machine.vcpu) == 0x11 && stepped)
        #expect(access(.lmsw, source: 0xfffe) == 1)
        #expect(lkx_cr0(machine.vcpu) == 0x1f, "PE stays, what is above bit 3 is ignored")
        #expect(access(.lmsw, source: 0) == 1)
        #expect(lkx_cr0(machine.vcpu) == 0x11)
    }

    /// PAE paging loads four pointers with CR3; where they can't be, the MOV faults. SDM vol. 3, 4.4.1.
    @Test(arguments: [0x2000, 0x20_0000] as [UInt64]) func pointersThatCantBeLoaded(cr3: UInt64) {
        machine.write(0x1000, 0x4001, bytes: 8)
        machine.write(0x2000, 0x4003, bytes: 8)  // bit 1 is reserved
        machine[VMCS_GUEST_CR3] = 0x1000
        #expect(!lkx_cr4_set(machine.vcpu, 1 << 5) && !lkx_cr0_set(machine.vcpu, 0x8000_0011))
        #expect(machine[VMCS_GUEST_PDPTE0] == 0x4001)
        machine[RBX] = cr3
        #expect(access(.to, 3) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP) && machine[VMCS_GUEST_CR3] == 0x1000)
        machine.fake.pointee.vcpu.events = lkx_events()
        machine.write(0x1000, 0x4007, bytes: 8)
        machine[RBX] = 1 << 5 | 1 << 4  // CR4.PSE changes: they are loaded again
        #expect(access(.to, 4) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP) && lkx_cr4(machine.vcpu) == 1 << 5)
    }
}
