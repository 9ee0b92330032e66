// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// The APIC timer, by the platform's. SDM vol. 3, 11.5.4. (By the processor's: LAPICPreemptionTimerTests.)
@Suite struct LAPICTimerTests {
    let apics: TwoAPICs
    private var v: UnsafeMutablePointer<lkx_vcpu> { apics.first }
    private var fake: UnsafeMutablePointer<fake> { apics.machine.fake }

    init() throws {
        apics = try TwoAPICs()
        apics.machine.fake.pointee.now = 1000
        apics.machine.fake.pointee.caps.apic_timer = false
    }

    /// The platform's timer has run out at that time.
    private func fire(at time: UInt64) {
        fake.pointee.now = time
        lkx_lapic_timer_fired(v)
        #expect(apics.look() == 1)
    }

    @Test(arguments: [(0b0000, 2), (0b0001, 4), (0b0010, 8), (0b0011, 16), (0b1000, 32), (0b1001, 64), (0b1010, 128), (0b1011, 1)] as [(UInt64, UInt64)])
    func divisors(code: UInt64, divisor: UInt64) {
        apics.write(v, LAPIC_TIMER_DIVIDE, code)
        apics.write(v, LAPIC_TIMER_INITIAL, 10)
        #expect(fake.pointee.timer_at == 1000 + 10 * divisor)
        fake.pointee.now += 3 * divisor
        #expect(apics.read(v, LAPIC_TIMER_CURRENT) == 7)
    }

    @Test func once() {
        apics.write(v, LAPIC_LVT_TIMER, 0x40)
        apics.write(v, LAPIC_TIMER_DIVIDE, 0xb)
        apics.write(v, LAPIC_TIMER_INITIAL, 100)
        // Too early: somebody set it anew since, or this CPU's clock is behind the one's that it fired on. It is set again.
        fake.pointee.timer_at = 0
        fire(at: 1050)
        #expect(apics.requested(v).isEmpty && fake.pointee.timer_at == 1100)
        fire(at: 1100)
        #expect(apics.requested(v) == [0x40] && apics.read(v, LAPIC_TIMER_CURRENT) == 0)
        fire(at: 1300)
        apics.write(v, LAPIC_TIMER_INITIAL, 100)
        apics.write(v, LAPIC_TIMER_INITIAL, 0)
        #expect(fake.pointee.timer_at == 0)
    }

    @Test func overAndOverWithoutDrift() {
        apics.write(v, LAPIC_LVT_TIMER, 0x20041)
        apics.write(v, LAPIC_TIMER_DIVIDE, 0xb)
        apics.write(v, LAPIC_TIMER_INITIAL, 1_000_000)
        fire(at: 1000 + 1_300_000)
        #expect(apics.requested(v) == [0x41] && fake.pointee.timer_at == 1000 + 2_000_000)
        #expect(apics.read(v, LAPIC_TIMER_CURRENT) == 700_000)
        fire(at: 1000 + 5_200_000)
        #expect(fake.pointee.timer_at == 1000 + 6_000_000)
        // A late reading is of the period that it is in.
        fake.pointee.now = 1000 + 6_500_000
        #expect(apics.read(v, LAPIC_TIMER_CURRENT) == 500_000)
    }

    @Test("a period of nanoseconds doesn't keep the host busy", arguments: [1, 100, 199_999])
    func leastPeriod(count: UInt64) {
        apics.write(v, LAPIC_LVT_TIMER, 0x20041)
        apics.write(v, LAPIC_TIMER_DIVIDE, 0xb)
        apics.write(v, LAPIC_TIMER_INITIAL, count)
        let end = 1000 + count + 10_000_000
        var fired = 0
        while fake.pointee.timer_at < end && fired < 1000 {
            fire(at: fake.pointee.timer_at)
            fired += 1
        }
        #expect(fired == 50)
    }

    /// Who takes the state elsewhere must not lose the interrupt: the count is 0 already.
    @Test func aTimerThatRanOutUnseenIsInTheState() {
        apics.write(v, LAPIC_LVT_TIMER, 0x40)
        apics.write(v, LAPIC_TIMER_DIVIDE, 0xb)
        apics.write(v, LAPIC_TIMER_INITIAL, 100)
        fake.pointee.now = 1100
        lkx_lapic_timer_fired(v)
        var state = kvm_lapic_state()
        lkx_lapic_get(v, &state)
        #expect(apics.requested(v) == [0x40])
        // Once: the message that it ran out is still on its way.
        #expect(apics.look() == 1)
        #expect(apics.requested(v) == [0x40] && fake.pointee.timer_at == 1100)
    }

    @Test func maskedItSaysNothing() {
        apics.write(v, LAPIC_TIMER_INITIAL, 50)
        fire(at: 1100)
        #expect(apics.requested(v).isEmpty)
    }

    @Test func aNewDivisorCountsForWhatIsLeft() {
        apics.write(v, LAPIC_TIMER_DIVIDE, 0xb)
        apics.write(v, LAPIC_TIMER_INITIAL, 100)
        fake.pointee.now = 1040
        apics.write(v, LAPIC_TIMER_DIVIDE, 0)
        #expect(fake.pointee.timer_at == 1040 + 120)
    }

    @Test func deadlines() {
        // CPUID leaf 1, ECX bit 24: only then is there that mode.
        apics.write(v, LAPIC_LVT_TIMER, 0x40042)
        #expect(apics.read(v, LAPIC_LVT_TIMER) == 0x42)
        lkx_lapic_set_deadline(v, 5000)
        #expect(fake.pointee.timer_at == 0 && lkx_lapic_deadline(v) == 0)
        for index in 0..<Int(v.pointee.cpuid_count) where v.pointee.cpuid[index].function == 1 { v.pointee.cpuid[index].ecx |= 1 << 24 }
        apics.write(v, LAPIC_LVT_TIMER, 0x40042)
        #expect(apics.read(v, LAPIC_LVT_TIMER) == 0x40042)
        let tsc = lkx_tsc_read(v)
        // 2 GHz: two ticks a nanosecond, and never too early.
        lkx_lapic_set_deadline(v, tsc + 2_000_000)
        #expect((1_001_000...1_001_001).contains(fake.pointee.timer_at) && lkx_lapic_deadline(v) == tsc + 2_000_000)
        apics.write(v, LAPIC_TIMER_INITIAL, 77)
        #expect(apics.read(v, LAPIC_TIMER_CURRENT) == 0)
        lkx_lapic_set_deadline(v, 0)
        #expect(fake.pointee.timer_at == 0)
        fake.pointee.tsc += 100
        lkx_lapic_set_deadline(v, 1)
        #expect(apics.look() == 1 && apics.requested(v) == [0x42] && lkx_lapic_deadline(v) == 0)
    }
}
