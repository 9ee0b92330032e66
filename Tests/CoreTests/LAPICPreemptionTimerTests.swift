// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// The APIC timer where the VMX preemption timer is it while the vCPU runs. The fake host's TSC counts two ticks a nanosecond, its preemption timer
/// one for 32 of them.
@Suite struct LAPICPreemptionTimerTests {
    static let limit: UInt64 = 0xffff_ffff
    static let stale = UInt64(LKX_TIMER_STALE)

    let apics: TwoAPICs
    private var v: UnsafeMutablePointer<lkx_vcpu> { apics.first }
    private var machine: FakeMachine { apics.machine }
    private var fake: UnsafeMutablePointer<fake> { apics.machine.fake }
    private var value: UInt64 { machine[VMCS_PREEMPTION_TIMER_VALUE] }

    init() throws {
        apics = try TwoAPICs()
        apics.machine.vcpu.pointee.lapic.pointee.timer_at = 0
        apics.machine.fake.pointee.now = 1000
        apics.machine.fake.pointee.tsc = 1 << 32
        apics.machine[VMCS_PREEMPTION_TIMER_VALUE] = Self.limit
        apics.write(apics.first, LAPIC_LVT_TIMER, 0x40)
        apics.write(apics.first, LAPIC_TIMER_DIVIDE, 0xb)
    }

    /// Time goes on, on both of the host's clocks.
    private func pass(_ nanoseconds: UInt64) {
        fake.pointee.now += nanoseconds
        fake.pointee.tsc += 2 * nanoseconds
    }

    /// What the processor counts down from when the guest is entered now.
    private func load() -> UInt64 {
        if v.pointee.timer_tsc != 0 { lkx_lapic_timer_load(v) }
        return value
    }

    private func expire() { #expect(lkx_exit_preemption_timer(v) == 1) }

    @Test func whichVCPUsHaveIt() throws {
        for (preemption, virtualInterrupts, ticks, split) in [
            (true, true, 0, true), (true, true, 0, false), (true, true, 3200, false), (true, false, 0, true), (false, true, 0, true),
            (true, true, 3200, true),
        ] as [(Bool, Bool, UInt32, Bool)] {
            let machine = try FakeMachine(reset: .skylake)
            lkx_vcpu_destroy(machine.vcpu)
            #expect(machine.fake.pointee.caps.apic_timer)
            machine.fake.pointee.caps.preemption_timer = preemption
            machine.fake.pointee.caps.apic_timer = preemption && virtualInterrupts
            machine.fake.pointee.caps.preemption_ticks = ticks
            machine.vm.pointee.irqchip_split = split
            #expect(lkx_vcpu_init(machine.vcpu) == 0)
            let on = preemption && (ticks != 0 || (virtualInterrupts && split))
            #expect(machine[VMCS_PIN_CONTROLS] & 1 << 6 == (on ? 1 << 6 : 0))
            if on { #expect(machine[VMCS_PREEMPTION_TIMER_VALUE] == (ticks == 0 ? Self.limit : 100)) }
        }
        for model in ProcessorModel.all {
            let machine = try? FakeMachine(reset: model)
            let caps = machine?.fake.pointee.caps
            #expect(caps?.apic_timer == caps.map { $0.virtual_interrupts && $0.preemption_timer }, "\(model)")
        }
    }

    @Test func onceWithoutTheHostsTimer() {
        apics.write(v, LAPIC_TIMER_INITIAL, 3200)
        #expect(v.pointee.timer_tsc == Self.stale)
        // 6,400 ticks are 200 changes of bit 5; the first of two more may come at once.
        #expect(load() == 202)
        pass(1600)
        #expect(load() == 102 && apics.read(v, LAPIC_TIMER_CURRENT) == 1600)
        // A lap that ended for another reason of this timer: its value was all that fits, or the module's bound.
        expire()
        #expect(apics.requested(v).isEmpty && v.pointee.timer_tsc != 0)
        pass(1600)
        #expect(load() == 0)
        expire()
        #expect(apics.requested(v) == [0x40] && v.pointee.timer_tsc == 0 && value == Self.limit)
        #expect(apics.read(v, LAPIC_TIMER_CURRENT) == 0 && fake.pointee.timer_at == 0)
        // It is over.
        expire()
        #expect(load() == Self.limit)
    }

    @Test func neverTooEarly() {
        apics.write(v, LAPIC_TIMER_INITIAL, 1)
        #expect(load() == 2)
        pass(1)
        #expect(load() == 0)
        apics.write(v, LAPIC_TIMER_INITIAL, 31)
        #expect(load() == 62 / 32 + 2)
    }

    /// plat_now is steered by whoever keeps the host's time, the TSC isn't: one exit is enough.
    @Test func theTSCDecides() {
        apics.write(v, LAPIC_TIMER_INITIAL, 1_000_000)
        _ = load()
        fake.pointee.tsc += 2_000_000
        fake.pointee.now += 999_900
        expire()
        #expect(apics.requested(v) == [0x40] && v.pointee.timer_tsc == 0)
    }

    @Test func whatIsTooLongForItIsSeenAgain() {
        apics.write(v, LAPIC_TIMER_DIVIDE, 0xa)
        apics.write(v, LAPIC_TIMER_INITIAL, 0xffff_ffff)
        #expect(load() == Self.limit)
        pass(1 << 37)
        expire()
        #expect(apics.requested(v).isEmpty && load() == Self.limit)
    }

    @Test func theModulesBoundOnALapStays() {
        fake.pointee.caps.preemption_ticks = 3200
        apics.write(v, LAPIC_TIMER_INITIAL, 100_000)
        #expect(load() == 100)
        pass(99_000)
        #expect(load() == 64)
        pass(1000)
        expire()
        #expect(value == 100)
    }

    @Test func overAndOver() {
        apics.write(v, LAPIC_LVT_TIMER, 0x20041)
        apics.write(v, LAPIC_TIMER_INITIAL, 1_000_000)
        _ = load()
        pass(1_300_000)
        expire()
        #expect(apics.requested(v) == [0x41] && v.pointee.timer_tsc == Self.stale)
        #expect(load() == 2 * 700_000 / 32 + 2 && fake.pointee.timer_at == 0)
        // By the TSC it is time, by the other clock not quite.
        pass(700_000)
        fake.pointee.now -= 100
        expire()
        #expect(v.pointee.lapic.pointee.timer_at == 3_001_000)
    }

    @Test func stopped() {
        apics.write(v, LAPIC_TIMER_INITIAL, 1000)
        _ = load()
        apics.write(v, LAPIC_TIMER_INITIAL, 0)
        #expect(v.pointee.timer_tsc == 0 && value == Self.limit)
        pass(5000)
        expire()
        #expect(apics.requested(v).isEmpty)
    }

    /// In HLT nothing counts down but the host's timer, and that goes on when something else has ended the HLT.
    @Test func whileTheVCPUWaits() {
        apics.write(v, LAPIC_TIMER_INITIAL, 5000)
        _ = load()
        v.pointee.mp_state = UInt32(KVM_MP_STATE_HALTED)
        #expect(apics.look() == -EINTR)
        #expect(fake.pointee.blocked == 1 && fake.pointee.timer_at == 6000)
        #expect(v.pointee.timer_tsc == 0 && value == Self.limit)
        #expect(lkx_lapic_interrupt(v, 0x55, false))
        machine[VMCS_GUEST_RFLAGS] = 0x202
        #expect(apics.look() == 1 && fake.pointee.timer_at == 6000 && load() == Self.limit)
        // It fires where the processor's would have.
        pass(5000)
        lkx_lapic_timer_fired(v)
        #expect(apics.look() == 1 && apics.requested(v) == [0x40, 0x55])
        // Set anew, it is the processor's again; what the host's was set to is taken back where it had not fired.
        fake.pointee.timer_at = 99
        apics.write(v, LAPIC_TIMER_INITIAL, 700)
        #expect(fake.pointee.timer_at == 0 && v.pointee.timer_tsc == Self.stale)
        fake.pointee.timer_at = 99
        apics.write(v, LAPIC_TIMER_INITIAL, 800)
        #expect(fake.pointee.timer_at == 99, "it was not set since")
    }

    /// One that fired before it was set anew says nothing of the new one.
    @Test func aLateMessage() {
        apics.write(v, LAPIC_TIMER_INITIAL, 5000)
        lkx_lapic_timer_fired(v)
        #expect(apics.look() == 1 && apics.requested(v).isEmpty && load() == 2 * 5000 / 32 + 2)
    }

    /// Another CPU's TSC may be another clock, and the host may have slept: the platform says LKX_TIMER_STALE.
    @Test func afterAMove() {
        apics.write(v, LAPIC_TIMER_INITIAL, 3200)
        _ = load()
        pass(1600)
        fake.pointee.tsc = 77
        v.pointee.timer_tsc = Self.stale
        #expect(load() == 102 && v.pointee.timer_tsc == 77 + 3200)
    }

    @Test(arguments: [false, true]) func deadlines(scaled: Bool) {
        for index in 0..<Int(v.pointee.cpuid_count) where v.pointee.cpuid[index].function == 1 { v.pointee.cpuid[index].ecx |= 1 << 24 }
        fake.pointee.caps.tsc_scaling = true
        if scaled { #expect(lkx_tsc_set_khz(v, 1_000_000)) }
        apics.write(v, LAPIC_LVT_TIMER, 0x40042)
        let tsc = lkx_tsc_read(v)
        let guestTicks: UInt64 = scaled ? 3200 : 6400
        lkx_lapic_set_deadline(v, tsc + guestTicks)
        #expect(v.pointee.timer_tsc == (scaled ? Self.stale : fake.pointee.tsc + 6400))
        // Of a nanosecond more where it went by nanoseconds.
        #expect(load() == 202 && v.pointee.timer_tsc - fake.pointee.tsc - 6400 == (scaled ? 2 : 0))
        pass(3201)
        #expect(lkx_lapic_deadline(v) == tsc + guestTicks)
        expire()
        #expect(apics.requested(v) == [0x42] && lkx_lapic_deadline(v) == 0 && fake.pointee.timer_at == 0)
    }

    /// The guest's TSC began when the host's was 1 << 32: there is no value of the host's for the highest of the guest's.
    @Test func aDeadlineThatNeverComes() {
        for index in 0..<Int(v.pointee.cpuid_count) where v.pointee.cpuid[index].function == 1 { v.pointee.cpuid[index].ecx |= 1 << 24 }
        apics.write(v, LAPIC_LVT_TIMER, 0x40042)
        lkx_tsc_write(v, 1000)
        lkx_lapic_set_deadline(v, .max)
        #expect(load() == Self.limit)
        pass(1_000_000_000)
        expire()
        #expect(apics.requested(v).isEmpty && lkx_lapic_deadline(v) == .max)
    }

    /// Entry and exit, whole.
    @Test func aLap() {
        apics.write(v, LAPIC_TIMER_INITIAL, 3200)
        fake.pointee.enters = true
        machine[VMCS_EXIT_REASON] = UInt64(EXIT_PREEMPTION_TIMER.rawValue)
        fake.pointee.polled = -EINTR
        #expect(lkx_vcpu_run(v) == -EINTR)
        #expect(value == 202 && apics.requested(v).isEmpty)
        pass(3200)
        #expect(lkx_vcpu_run(v) == -EINTR)
        #expect(apics.requested(v) == [0x40] && value == Self.limit)
    }
}
