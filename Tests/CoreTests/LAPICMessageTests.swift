// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Dispatch
import Testing

/// Whom a message names, and what it does there. SDM vol. 3, 11.6 and 11.11.
@Suite struct LAPICMessageTests {
    /// Who has the interrupt that a message made: a bit for each vCPU.
    private func takers(_ apics: TwoAPICs, _ vector: UInt8) -> Int {
        (apics.requested(apics.first).contains(vector) ? 1 : 0) | (apics.requested(apics.other).contains(vector) ? 2 : 0)
    }

    @Test(arguments: [
        // physical: one, the other, none, all
        (0xfee0_0000, 1), (0xfee0_1000, 2), (0xfee0_5000, 0), (0xfeef_f000, 3),
        // logical, flat: LDR is 1 and 2
        (0xfee0_1004, 1), (0xfee0_2004, 2), (0xfee0_3004, 3), (0xfee0_4004, 0), (0xfeef_f004, 3),
    ] as [(UInt64, Int)])
    func messages(address: UInt64, who: Int) throws {
        let apics = try TwoAPICs()
        apics.write(apics.first, LAPIC_LDR, 1 << 24)
        apics.write(apics.other, LAPIC_LDR, 2 << 24)
        #expect(lkx_lapic_message(apics.machine.vm, address, 0x45) == Int32(who.nonzeroBitCount))
        #expect(takers(apics, 0x45) == who)
        #expect(lkx_lapic_message_matches(apics.first, address, 0x45) == (who & 1 != 0))
        #expect(apics.machine.fake.pointee.notified == UInt32(who.nonzeroBitCount))
    }

    /// A STARTUP that comes close behind an INIT finds whom it is for.
    @Test(arguments: [false, true])
    func initTakesNoName(x2apic: Bool) throws {
        let apics = try TwoAPICs(x2apic: x2apic)
        nonisolated(unsafe) let other = apics.other
        let (rounds, startup): (Int, UInt32) = (100_000, 0x606)
        nonisolated(unsafe) var misses = 0
        DispatchQueue.concurrentPerform(iterations: 2) { thread in
            for _ in 0..<rounds {
                if thread == 0 {
                    lkx_lapic_reset(other, true)
                } else if !lkx_lapic_message_matches(other, 0xfee0_1000, startup) {
                    misses += 1
                }
            }
        }
        #expect(misses == 0)
    }

    @Test func clusters() throws {
        let apics = try TwoAPICs()
        for v in [apics.first, apics.other] { apics.write(v, LAPIC_DFR, 0x0fff_ffff) }
        apics.write(apics.first, LAPIC_LDR, 0x11 << 24)
        apics.write(apics.other, LAPIC_LDR, 0x21 << 24)
        #expect(lkx_lapic_message(apics.machine.vm, 0xfee1_1004, 0x50) == 1 && takers(apics, 0x50) == 1)
        #expect(lkx_lapic_message(apics.machine.vm, 0xfee2_f004, 0x51) == 1 && takers(apics, 0x51) == 2)
        #expect(lkx_lapic_message(apics.machine.vm, 0xfee3_1004, 0x52) == 0)
    }

    @Test func x2APICDestinations() throws {
        let apics = try TwoAPICs(x2apic: true)
        let vm = apics.machine.vm
        #expect(lkx_lapic_message(vm, 0xfee0_1000, 0x50) == 1 && takers(apics, 0x50) == 2)
        #expect(lkx_lapic_message(vm, 0xfee0_3004, 0x51) == 2)
        #expect(lkx_lapic_message(vm, 0xfeef_f000, 0x52) == 2)
        vm.pointee.x2apic_api = UInt32(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
        #expect(lkx_lapic_message(vm, 0xfeef_f000, 0x53) == 0)
        #expect(lkx_lapic_message(vm, 0xffff_ff00_feef_f000, 0x54) == 2)
        #expect(lkx_lapic_message(vm, 0x0000_0100_fee0_1000, 0x55) == 0)
        #expect(lkx_lapic_find(vm, 1) == apics.other && lkx_lapic_find(vm, 7) == nil)
    }

    @Test func lowestPriorityTakesTurns() throws {
        let apics = try TwoAPICs()
        let all: UInt64 = 0xfeef_f000
        for vector in 0x60..<0x64 as Range<UInt32> { #expect(lkx_lapic_message(apics.machine.vm, all, 0x100 | vector) == 1) }
        #expect(apics.requested(apics.first).count == 2 && apics.requested(apics.other).count == 2)
        // Whose APIC is off takes none.
        apics.write(apics.first, LAPIC_SVR, 0xff)
        #expect(lkx_lapic_message(apics.machine.vm, all, 0x170) == 1 && takers(apics, 0x70) == 2)
    }

    @Test func levelsAreInTMR() throws {
        let apics = try TwoAPICs()
        #expect(lkx_lapic_message(apics.machine.vm, 0xfee0_0000, 0x8041) == 1)
        #expect(apics.vectors(apics.first, LAPIC_TMR) == [0x41])
        #expect(lkx_lapic_message(apics.machine.vm, 0xfee0_0000, 0x41) == 1)
        #expect(apics.vectors(apics.first, LAPIC_TMR).isEmpty)
    }

    @Test(arguments: [(0x40000, 1), (0x80000, 3), (0xc0000, 2), (0, 2)] as [(UInt64, Int)])
    func shorthands(shorthand: UInt64, who: Int) throws {
        let apics = try TwoAPICs()
        apics.write(apics.first, LAPIC_ICR2, 1 << 24)
        apics.write(apics.first, LAPIC_ICR, shorthand | 0x4055)
        #expect(takers(apics, 0x55) == who)
    }

    @Test func initAndStartup() throws {
        let apics = try TwoAPICs()
        let v = apics.first
        let vm = apics.machine.vm
        v.pointee.apic_base &= ~0x100
        apics.machine[RBX] = 77
        #expect(lkx_lapic_message(vm, 0xfee0_0000, 0x500) == 1)
        #expect(apics.look() == -EINTR && v.pointee.mp_state == UInt32(KVM_MP_STATE_INIT_RECEIVED))
        #expect(apics.machine[RBX] == 0 && apics.read(v, LAPIC_SVR) == 0xff && apics.machine.fake.pointee.blocked == 1)
        // INIT's de-assert does nothing; of two STARTUPs the later one counts.
        apics.write(apics.other, LAPIC_ICR2, 0)
        apics.write(apics.other, LAPIC_ICR, 0x8500)
        #expect(lkx_lapic_message(vm, 0xfee0_0000, 0x610) == 1 && lkx_lapic_message(vm, 0xfee0_0000, 0x612) == 1)
        #expect(apics.look() == 1 && v.pointee.mp_state == UInt32(KVM_MP_STATE_RUNNABLE))
        #expect(apics.machine[VMCS_GUEST_CS_SELECTOR] == 0x1200 && apics.machine[VMCS_GUEST_CS_BASE] == 0x12000)
        #expect(apics.machine[VMCS_GUEST_RIP] == 0)
        // Who runs doesn't start anew.
        #expect(lkx_lapic_message(vm, 0xfee0_0000, 0x620) == 1 && apics.look() == 1)
        #expect(apics.machine[VMCS_GUEST_CS_SELECTOR] == 0x1200)
    }

    /// KVM_HC_KICK_CPU, with which a guest's spinlock ends the HLT of who waits for it.
    @Test func aHypercallEndsAHalt() throws {
        let apics = try TwoAPICs()
        let v = apics.first
        func kick(_ id: UInt64) -> UInt64 {
            apics.machine[RAX] = 5
            apics.machine[RCX] = id
            v.pointee.exit = lkx_exit()
            v.pointee.exit.reason = EXIT_VMCALL.rawValue
            v.pointee.exit.instruction_length = 3
            #expect(lkx_exit_dispatch(v) == 1)
            return apics.machine[RAX]
        }
        #expect(kick(1) == 0)
        #expect(apics.other.pointee.lapic.pointee.posted == 1 << 5)
        #expect(apics.other.pointee.events.requests == 1)
        #expect(kick(7) == 0, "nobody")
        #expect(kick(0) == 0)
        v.pointee.mp_state = UInt32(KVM_MP_STATE_HALTED)
        #expect(apics.look() == 1)
        #expect(v.pointee.mp_state == UInt32(KVM_MP_STATE_RUNNABLE))
        apics.machine[VMCS_GUEST_SS_ACCESS_RIGHTS] = 0xf3
        #expect(kick(1) == 0xffff_ffff, "not from user space")
    }

    @Test func haltsEnd() throws {
        let apics = try TwoAPICs()
        let v = apics.first
        let vm = apics.machine.vm
        func halt(interrupts: Bool) -> Int32 {
            v.pointee.mp_state = UInt32(KVM_MP_STATE_HALTED)
            apics.machine[VMCS_GUEST_RFLAGS] = interrupts ? 0x202 : 2
            return apics.look()
        }
        #expect(halt(interrupts: true) == -EINTR && v.pointee.mp_state == UInt32(KVM_MP_STATE_HALTED))
        #expect(lkx_lapic_message(vm, 0xfee0_0000, 0x45) == 1)
        #expect(halt(interrupts: false) == -EINTR)
        #expect(halt(interrupts: true) == 1 && v.pointee.mp_state == UInt32(KVM_MP_STATE_RUNNABLE))
        #expect(lkx_lapic_offer(v, true))
        v.pointee.events = lkx_events()
        #expect(lkx_lapic_message(vm, 0xfee0_0000, 0x400) == 1)
        #expect(halt(interrupts: false) == 1 && v.pointee.events.nmi_pending == 1)
        v.pointee.events = lkx_events()
        lkx_lapic_post(v, 1 << 5)
        #expect(halt(interrupts: false) == 1 && halt(interrupts: false) == -EINTR)
    }

    @Test func statesOfUserSpace() throws {
        let apics = try TwoAPICs()
        let v = apics.first
        func set(_ state: Int32) -> Int32 {
            var s = kvm_mp_state(mp_state: UInt32(state))
            return lkx_set_mp_state(v, &s)
        }
        for state in [KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE] {
            #expect(set(state) == 0)
            var s = kvm_mp_state()
            lkx_get_mp_state(v, &s)
            #expect(s.mp_state == UInt32(state))
        }
        #expect(set(99) == -EINVAL)
        v.pointee.lapic.pointee.startup_vector = 0x34
        #expect(set(KVM_MP_STATE_SIPI_RECEIVED) == 0 && apics.look() == 1)
        #expect(apics.machine[VMCS_GUEST_CS_BASE] == 0x34000)
    }
}
