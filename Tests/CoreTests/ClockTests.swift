// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// KVM_GET_CLOCK and KVM_SET_CLOCK.
@Suite struct ClockTests {
    let machine = FakeMachine()

    /// The host's TSC counts two ticks a nanosecond.
    private func get(
        _ boot: UInt64, real: UInt64 = 0, tsc: UInt64? = nil, epoch: UInt32 = 0, stable: Bool = true
    ) -> kvm_clock_data {
        var now = lkx_host_clocks(boot: boot, real: real, tsc: tsc ?? 2 * boot, epoch: epoch, tsc_stable: stable)
        var data = kvm_clock_data()
        lkx_clock_get(machine.vm, &now, &data)
        return data
    }

    private func set(_ boot: UInt64, real: UInt64 = 0, clock: UInt64, flags: Int32 = 0, saved: UInt64 = 0) -> Int32 {
        var now = lkx_host_clocks(boot: boot, real: real, tsc: 2 * boot, epoch: 0, tsc_stable: true)
        var data = kvm_clock_data()
        (data.clock, data.flags, data.realtime) = (clock, UInt32(flags), saved)
        return lkx_clock_set(machine.vm, &now, &data)
    }

    init() {
        var now = lkx_host_clocks(boot: 1000, real: 0, tsc: 2000, epoch: 0, tsc_stable: true)
        lkx_clock_start(machine.vm, &now)
    }

    @Test func beginsWithTheVMAndGoesOn() {
        #expect(get(1000).clock == 0 && get(1700).clock == 700)
        let data = get(1700, real: 99)
        #expect(data.flags == 2 | 4 | 8 && data.realtime == 99 && data.host_tsc == 3400)
        let alone = get(1700, real: 99, stable: false)
        #expect(alone.clock == 700 && alone.flags == 0 && alone.realtime == 0 && alone.host_tsc == 0)
    }

    @Test func isWhatItIsSetTo() {
        #expect(set(2000, clock: 1 << 40) == 0)
        #expect(get(2003).clock == 1 << 40 + 3)
        #expect(set(2000, clock: 7, flags: 1) == -EINVAL && set(2000, clock: 7, flags: 16) == -EINVAL)
        #expect(get(2003).clock == 1 << 40 + 3)
        #expect(set(2000, clock: 0, flags: 2 | 8) == 0 && get(2000).clock == 0, "what GET gave is taken back")
    }

    @Test func realTimeThatWentByIsMadeUp() {
        #expect(set(2000, real: 550, clock: 100, flags: 4, saved: 500) == 0)
        #expect(get(2000).clock == 150)
        #expect(set(2000, real: 450, clock: 100, flags: 4, saved: 500) == 0)
        #expect(get(2000).clock == 100, "never backwards")
        #expect(set(2000, real: 550, clock: 100, saved: 500) == 0 && get(2000).clock == 100, "only where it is asked for")
    }

    /// Time goes by the TSC where that is one for all, and by the host's clock where not, or where the host slept meanwhile.
    @Test func goesByTheTSC() {
        #expect(get(5000, tsc: 3000).clock == 500)
        #expect(get(5000, tsc: 3000, stable: false).clock == 4000)
        #expect(get(5000, tsc: 3, epoch: 1).clock == 4000)
    }

    /// Against the exact quotient: what a guest makes of `mul` and `shift` is at most so much less, and never more.
    @Test(arguments: [1, 3, 999, 1000, 50_000, 999_999, 1_000_000, 1_000_001, 2_899_999, 5_000_000, ~0] as [UInt32])
    func ratesAreExactToTheirLastBit(khz: UInt32) {
        let rate = lkx_clock_rate(khz)
        #expect(rate.mul >> 31 == 1)
        let times: [UInt64] = [0, 1, 7, 1 << 20, 123_456_789, 1 << 40, 0xff_ffff_ffff]
        for ticks in times {
            let (high, low) = ticks.multipliedFullWidth(by: 1_000_000)
            guard high < UInt64(khz) else { continue }
            let exact = UInt64(khz).dividingFullWidth((high, low)).quotient
            let ns = lkx_clock_ns(rate, ticks)
            // A right shift loses at most a tick, the multiplier at most 2^-31 of all.
            let tick: UInt64 = 1_000_000 / UInt64(khz) + 1
            let lost: UInt64 = (exact >> 31) + tick + 1
            let isRight = ns <= exact && exact - ns <= lost
            #expect(isRight, "\(khz) kHz, \(ticks) ticks: \(ns), not \(exact)")
        }
    }
}
