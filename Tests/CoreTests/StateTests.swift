// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

/// KVM_GET/SET_REGS, KVM_GET/SET_SREGS, KVM_TRANSLATE.
@Suite struct StateTests {
    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine.addSlot(0, bytes: 0x20000)
    }

    private var sregs: kvm_sregs {
        var s = kvm_sregs()
        lkx_get_sregs(machine.vcpu, &s)
        return s
    }

    private func set(_ change: (inout kvm_sregs) -> Void) -> Int32 {
        var s = sregs
        change(&s)
        return lkx_set_sregs(machine.vcpu, &s)
    }

    private func bytes<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    @Test func registersComeBackAsTheyWent() {
        var random = Random(seed: 18)
        var regs = kvm_regs()
        withUnsafeMutableBytes(of: &regs) { raw in
            for offset in stride(from: 0, to: raw.count, by: 8) {
                raw.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
            }
        }
        regs.rflags = 0x246
        lkx_queue_exception(machine.vcpu, UInt8(VECTOR_UD))
        lkx_set_regs(machine.vcpu, &regs)
        #expect(machine.raised == nil, "it was the old instruction's")
        var back = kvm_regs()
        lkx_get_regs(machine.vcpu, &back)
        #expect(bytes(back) == bytes(regs))
        #expect(machine[VMCS_GUEST_RSP] == regs.rsp && machine[RSP] == regs.rsp && machine[R15] == regs.r15)
        regs.rflags = 0
        lkx_set_regs(machine.vcpu, &regs)
        #expect(machine[VMCS_GUEST_RFLAGS] == 2)
    }

    @Test func systemRegistersComeBackAsTheyWent() {
        var s = sregs
        s.cs = kvm_segment(
            base: 0x1000, limit: 0xfffff, selector: 8, type: 11, present: 1, dpl: 0, db: 0, s: 1, l: 1, g: 1, avl: 0,
            unusable: 0,
            padding: 0)
        s.fs.base = 0x7fff_1234_5678
        s.ldt.unusable = 1
        s.ldt.present = 0
        s.gdt = kvm_dtable(base: 0x8000, limit: 0x7f, padding: (0, 0, 0))
        s.idt = kvm_dtable(base: 0x9000, limit: 0xfff, padding: (0, 0, 0))
        s.cr0 = 0x8005_0033
        s.cr2 = 0x1234
        s.cr3 = 0x5000
        s.cr4 = 0x6a0
        s.cr8 = 9
        s.efer = 0xd01
        s.interrupt_bitmap.1 = 1 << 5
        #expect(lkx_set_sregs(machine.vcpu, &s) == 0)
        #expect(bytes(sregs) == bytes(s))
        #expect(machine[VMCS_GUEST_CS_ACCESS_RIGHTS] == 0xa09b && machine[VMCS_GUEST_LDTR_ACCESS_RIGHTS] & 1 << 16 != 0)
        #expect(machine[VMCS_ENTRY_CONTROLS] & 1 << 9 != 0 && machine[VMCS_GUEST_IA32_EFER] == 0xd01)
        #expect(
            machine.fake.pointee.vcpu.events.interrupt_pending
                && machine.fake.pointee.vcpu.events.interrupt_vector == 69)
        #expect(machine.fake.pointee.vcpu.tlb_generation == ~0)
    }

    @Test func whatNoProcessorCanBeInIsRefusedWhole() {
        let before = bytes(sregs)
        let bad: [(String, (inout kvm_sregs) -> Void)] = [
            ("paging without protection", { $0.cr0 = 0x8000_0010 }),
            ("NW without CD", { $0.cr0 = 0x2000_0010 }),
            ("CR0 above 32 bits", { $0.cr0 |= 1 << 40 }),
            ("CR4.VMXE", { $0.cr4 = 1 << 13 }),
            ("unknown CR4 bit", { $0.cr4 = 1 << 31 }),
            ("unknown EFER bit", { $0.efer = 1 << 13 }),
            ("LMA without LME", { $0.efer = 1 << 10 }),
            (
                "LME and paging without LMA",
                {
                    $0.efer = 1 << 8
                    $0.cr0 = 0x8000_0011
                    $0.cr4 = 0x20
                }
            ),
            (
                "long mode without PAE",
                {
                    $0.efer = 0x500
                    $0.cr0 = 0x8000_0011
                }
            ),
            ("CS.L outside of long mode", { $0.cs.l = 1 }),
            (
                "CR3 above 52 bits",
                {
                    $0.efer = 0x500
                    $0.cr0 = 0x8000_0011
                    $0.cr4 = 0x20
                    $0.cr3 = 1 << 53
                }
            ),
            ("APIC base's reserved bit", { $0.apic_base |= 1 }),
        ]
        for (what, change) in bad {
            #expect(set(change) == -EINVAL, "\(what)")
            #expect(bytes(sregs) == before, "\(what)")
        }
        #expect(set { $0.cr2 = 1 } == 0)
    }

    /// Loaded segments are accessed; not every VMM says so, and VM entry insists.
    @Test func segmentsAreAccessedWhoeverForgotIt() {
        #expect(
            set {
                $0.cs.type = 10
                $0.ds.type = 2
                $0.ss.present = 0
                $0.ldt.type = 2
            } == 0)
        #expect(machine[VMCS_GUEST_CS_ACCESS_RIGHTS] & 15 == 11 && machine[VMCS_GUEST_DS_ACCESS_RIGHTS] & 15 == 3)
        #expect(machine[VMCS_GUEST_LDTR_ACCESS_RIGHTS] & 15 == 2)
        #expect(machine[VMCS_GUEST_SS_ACCESS_RIGHTS] & 1 << 16 != 0)
    }

    @Test func aVCPUOnlyRuns() {
        var state = kvm_mp_state(mp_state: UInt32(KVM_MP_STATE_HALTED))
        #expect(lkx_set_mp_state(machine.vcpu, &state) == -EINVAL)
        state.mp_state = UInt32(KVM_MP_STATE_RUNNABLE)
        #expect(lkx_set_mp_state(machine.vcpu, &state) == 0)
    }

    @Test func translation() {
        var t = kvm_translation()
        t.linear_address = 0x1234
        lkx_translate(machine.vcpu, &t)
        #expect(t.valid == 1 && t.physical_address == 0x1234 && t.writeable == 1 && t.usermode == 0)
        machine.write(0x10000, 0x11003, bytes: 8)
        machine.write(0x11000, 0x4000_0083, bytes: 8)
        #expect(
            set {
                $0.efer = 0x500
                $0.cr0 = 0x8000_0011
                $0.cr4 = 0x20
                $0.cr3 = 0x10000
            } == 0)
        lkx_translate(machine.vcpu, &t)
        #expect(t.valid == 1 && t.physical_address == 0x4000_1234)
        #expect(machine.read(0x10000, bytes: 8) == 0x11003, "no A bit is set")
        t.linear_address = 1 << 40
        lkx_translate(machine.vcpu, &t)
        #expect(t.valid == 0 && t.physical_address == ~0)
    }

    @Test func whatEveryReturnTells() {
        machine[VMCS_GUEST_RFLAGS] = 0x202
        machine.fake.pointee.vcpu.cr8 = 3
        lkx_fill_run_page(machine.vcpu)
        let run = fake_run(machine.fake)!
        #expect(run.pointee.if_flag == 1 && run.pointee.ready_for_interrupt_injection == 1 && run.pointee.cr8 == 3)
        #expect(run.pointee.apic_base == 0xfee0_0900)
        lkx_queue_interrupt(machine.vcpu, 0x30)
        lkx_fill_run_page(machine.vcpu)
        #expect(run.pointee.ready_for_interrupt_injection == 0)
    }
}
