// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// Rules of CR0, CR3, CR4, CR8, EFER and XCR0. SDM vol. 3, 2.5 and 4.1.
@Suite struct ControlRegisterTests {
    static let pe: UInt64 = 1, ne: UInt64 = 1 << 5, wp: UInt64 = 1 << 16, nw: UInt64 = 1 << 29, cd: UInt64 = 1 << 30
    static let pg: UInt64 = 1 << 31, et: UInt64 = 1 << 4
    static let pae: UInt64 = 1 << 5, pcide: UInt64 = 1 << 17, vmxe: UInt64 = 1 << 13, mce: UInt64 = 1 << 6
    static let lme: UInt64 = 1 << 8, lma: UInt64 = 1 << 10, nxe: UInt64 = 1 << 11

    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine.addSlot(0, bytes: 0x10000)
    }

    private var cr0: UInt64 { lkx_cr0(machine.vcpu) }
    private var cr4: UInt64 { lkx_cr4(machine.vcpu) }

    @Test func resetState() {
        #expect(cr0 == 0x6000_0010 && cr4 == 0)
        #expect(machine[VMCS_GUEST_CR0] == 0x30)  // NE for VMX, never the caches off
        #expect(machine[VMCS_GUEST_CR4] == 0x2000 | Self.mce)  // VMXE; MCE as the host has it
        #expect(machine[VMCS_GUEST_CS_BASE] == 0xffff_0000 && machine[VMCS_GUEST_RIP] == 0xfff0)
        #expect(machine[VMCS_GUEST_RFLAGS] == 2 && machine[VMCS_VMCS_LINK_POINTER] == ~0)
    }

    @Test func combinationsOfCR0ThatFault() {
        for bad in [Self.nw, Self.pg, Self.pg | Self.nw | Self.pe, 1 << 32, 1 << 63] {
            #expect(lkx_cr0_set(machine.vcpu, bad))
            #expect(cr0 == 0x6000_0010, "nothing changed")
        }
        #expect(!lkx_cr0_set(machine.vcpu, Self.pe | Self.cd | Self.nw))
        // Reserved bits of the low half are ignored, ET is hardwired.
        #expect(!lkx_cr0_set(machine.vcpu, Self.pe | 1 << 7 | 1 << 17))
        #expect(cr0 == Self.pe | Self.et)
    }

    @Test func longModeComesWithPaging() {
        #expect(!lkx_efer_set(machine.vcpu, Self.lme | Self.nxe, true))
        #expect(!lkx_cr0_set(machine.vcpu, Self.pe))
        #expect(lkx_cr0_set(machine.vcpu, Self.pe | Self.pg), "without PAE")
        #expect(!lkx_cr4_set(machine.vcpu, Self.pae))
        machine[VMCS_GUEST_CS_ACCESS_RIGHTS] = 0xa09b
        #expect(lkx_cr0_set(machine.vcpu, Self.pe | Self.pg), "with CS.L")
        machine[VMCS_GUEST_CS_ACCESS_RIGHTS] = 0xc09b
        machine[VMCS_GUEST_TR_ACCESS_RIGHTS] = 0x83  // a 16-bit TSS: entry would fail
        #expect(!lkx_cr0_set(machine.vcpu, Self.pe | Self.pg))
        #expect(machine.fake.pointee.vcpu.efer == Self.lme | Self.lma | Self.nxe)
        #expect(machine[VMCS_GUEST_IA32_EFER] == machine.fake.pointee.vcpu.efer)
        #expect(machine[VMCS_ENTRY_CONTROLS] & 1 << 9 != 0)
        #expect(machine[VMCS_GUEST_TR_ACCESS_RIGHTS] == 0x8b)
        // In it: PAE stays, LME can't change, 64-bit code can't leave.
        #expect(lkx_cr4_set(machine.vcpu, 0))
        #expect(lkx_efer_set(machine.vcpu, Self.nxe, true))
        machine[VMCS_GUEST_CS_ACCESS_RIGHTS] = 0xa09b
        #expect(lkx_cr0_set(machine.vcpu, Self.pe))
        machine[VMCS_GUEST_CS_ACCESS_RIGHTS] = 0xc09b
        #expect(!lkx_cr0_set(machine.vcpu, Self.pe))
        #expect(machine.fake.pointee.vcpu.efer == Self.lme | Self.nxe)
        #expect(machine[VMCS_ENTRY_CONTROLS] & 1 << 9 == 0)
    }

    @Test func pcidNeedsLongModeAndACleanCR3() {
        let optional = machine.fake.pointee.vcpu.cr4_guest_allowed
        #expect(optional & Self.pcide != 0)
        #expect(lkx_cr4_set(machine.vcpu, Self.pcide))
        #expect(!lkx_efer_set(machine.vcpu, Self.lme, true) && !lkx_cr0_set(machine.vcpu, Self.pe))
        machine[VMCS_GUEST_CS_ACCESS_RIGHTS] = 0xc09b
        #expect(!lkx_cr4_set(machine.vcpu, Self.pae) && !lkx_cr0_set(machine.vcpu, Self.pe | Self.pg))
        machine[VMCS_GUEST_CR3] = 0x1001
        #expect(lkx_cr4_set(machine.vcpu, Self.pae | Self.pcide))
        machine[VMCS_GUEST_CR3] = 0x1000
        #expect(!lkx_cr4_set(machine.vcpu, Self.pae | Self.pcide))
        #expect(lkx_cr0_set(machine.vcpu, Self.pe), "paging stays on under PCIDE")
        // Bit 63 asks to keep translations; it is not stored. Without PCIDE it is reserved.
        machine.fake.pointee.vcpu.tlb_generation = 5
        #expect(!lkx_cr3_set(machine.vcpu, 1 << 63 | 0x2001))
        #expect(machine[VMCS_GUEST_CR3] == 0x2001 && machine.fake.pointee.vcpu.tlb_generation == 5)
        #expect(!lkx_cr3_set(machine.vcpu, 0x3001))
        #expect(machine.fake.pointee.vcpu.tlb_generation == ~0)
        #expect(!lkx_cr4_set(machine.vcpu, Self.pae))
        #expect(lkx_cr3_set(machine.vcpu, 1 << 63 | 0x2000))
        #expect(lkx_cr3_set(machine.vcpu, 1 << 39), "39 physical bits")
        #expect(!lkx_cr3_set(machine.vcpu, 1 << 38))
    }

    @Test func paePagingLoadsThePointers() {
        machine.write(0x1020, 0x2001, bytes: 8)
        machine.write(0x1038, 0x3001, bytes: 8)
        machine[VMCS_GUEST_CR3] = 0x1020
        #expect(!lkx_cr0_set(machine.vcpu, Self.pe) && !lkx_cr4_set(machine.vcpu, Self.pae))
        #expect(!lkx_cr0_set(machine.vcpu, Self.pe | Self.pg))
        #expect(machine[VMCS_GUEST_PDPTE0] == 0x2001 && machine[VMCS_GUEST_PDPTE3] == 0x3001)
        // Reserved bits of a present one fault; of one that is not present they may be anything.
        machine.write(0x1040, 0x2003, bytes: 8)
        #expect(lkx_cr3_set(machine.vcpu, 0x1040))
        machine.write(0x1040, 1 << 39 | 1, bytes: 8)
        #expect(lkx_cr3_set(machine.vcpu, 0x1040))
        machine.write(0x1040, ~1, bytes: 8)
        #expect(!lkx_cr3_set(machine.vcpu, 0x1040))
        #expect(machine[VMCS_GUEST_CR3] == 0x1040)
        // Where no memory is, no pointers are.
        #expect(lkx_cr3_set(machine.vcpu, 0x7000_0000))
        #expect(machine[VMCS_GUEST_CR3] == 0x1040)
    }

    @Test func cr4TakesWhatCPUIDOffers() {
        for bit in 0..<64 as Range<UInt64> {
            let fits = machine.fake.pointee.vcpu.cr4_guest_allowed >> bit & 1 == 1
            guard bit != 17 else { continue }  // PCIDE has rules of its own
            #expect(lkx_cr4_set(machine.vcpu, 1 << bit) == !fits, "bit \(bit)")
            #expect(!lkx_cr4_set(machine.vcpu, 0))
        }
        #expect(machine.fake.pointee.vcpu.cr4_guest_allowed & Self.vmxe == 0)
        // The guest's MCE is its own to see, the processor's the host's.
        #expect(!lkx_cr4_set(machine.vcpu, 0))
        #expect(cr4 == 0 && machine[VMCS_GUEST_CR4] & (Self.mce | Self.vmxe) == Self.mce | Self.vmxe)
    }

    @Test func eferAndXCR0() {
        for bad in [1 << 1, 1 << 12, 1 << 63] as [UInt64] { #expect(lkx_efer_set(machine.vcpu, bad, true)) }
        #expect(!lkx_efer_set(machine.vcpu, 1 | Self.lma, true))
        #expect(machine.fake.pointee.vcpu.efer == 1, "LMA is not written")
        for bad in [0, 2, 5, 6, 0xe7, 1 << 9 | 1] as [UInt64] { #expect(lkx_xcr0_set(machine.vcpu, bad), "\(bad)") }
        for good in [1, 3, 7] as [UInt64] { #expect(!lkx_xcr0_set(machine.vcpu, good), "\(good)") }
        machine.fake.pointee.vcpu.guest_xcr0_allowed = 0xe7
        for bad in [0x27, 0x67, 0xa7, 0xe3] as [UInt64] { #expect(lkx_xcr0_set(machine.vcpu, bad), "\(bad)") }
        #expect(!lkx_xcr0_set(machine.vcpu, 0xe7))
    }

    // --- the exits ---

    private func exit(_ cr: UInt64, type: UInt64, register: UInt64 = 0, source: UInt64 = 0) -> Int32 {
        machine.fake.pointee.vcpu.exit.qualification = cr | type << 4 | register << 8 | source << 16
        machine.fake.pointee.vcpu.exit.instruction_length = 3
        machine[VMCS_GUEST_RIP] = 0x100
        return lkx_exit_cr(machine.vcpu)
    }

    @Test func movsClearsAndLMSW() {
        machine[RBX] = 0xffff_ffff_0000_0011
        #expect(exit(0, type: 0, register: 3) == 1)  // 32 bits outside of 64-bit mode
        #expect(cr0 == 0x11 && machine[VMCS_GUEST_RIP] == 0x103 && machine.raised == nil)
        #expect(exit(0, type: 3, source: 0xfffe) == 1)  // LMSW can't clear PE
        #expect(cr0 == 0x1f)
        #expect(exit(0, type: 2) == 1)  // CLTS
        #expect(cr0 == 0x17)
        machine[VMCS_GUEST_CR3] = 0x5000
        #expect(exit(3, type: 1, register: 4) == 1)  // MOV RSP, CR3
        #expect(machine[VMCS_GUEST_RSP] == 0x5000)
        machine[RBX] = Self.pg
        #expect(exit(0, type: 0, register: 3) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP) && machine[VMCS_GUEST_RIP] == 0x100)
    }

    @Test func aLowerTaskPriorityIsToldUserSpace() {
        machine[RAX] = 5
        #expect(exit(8, type: 0) == 1)
        machine[RAX] = 3
        #expect(exit(8, type: 0) == 0)
        #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_SET_TPR))
        #expect(exit(8, type: 1, register: 2) == 1)
        #expect(machine[RDX] == 3)
        machine[RAX] = 16
        #expect(exit(8, type: 0) == 1)
        #expect(machine.raised?.vector == UInt8(VECTOR_GP))
    }
}
