// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// KVM_GET_CLOCK and KVM_SET_CLOCK.
@Suite struct ClockTests {
    let machine = FakeMachine()

    private func get(_ boot: UInt64, real: UInt64 = 0, stable: Bool = true) -> kvm_clock_data {
        var now = lkx_host_clocks(boot: boot, real: real, tsc: 5, tsc_stable: stable)
        var data = kvm_clock_data()
        lkx_clock_get(machine.vm, &now, &data)
        return data
    }

    private func set(_ boot: UInt64, real: UInt64 = 0, clock: UInt64, flags: Int32 = 0, saved: UInt64 = 0) -> Int32 {
        var now = lkx_host_clocks(boot: boot, real: real, tsc: 5, tsc_stable: true)
        var data = kvm_clock_data()
        (data.clock, data.flags, data.realtime) = (clock, UInt32(flags), saved)
        return lkx_clock_set(machine.vm, &now, &data)
    }

    init() {
        var now = lkx_host_clocks(boot: 1000, real: 0, tsc: 0, tsc_stable: true)
        lkx_clock_start(machine.vm, &now)
    }

    @Test func beginsWithTheVMAndGoesOn() {
        #expect(get(1000).clock == 0 && get(1700).clock == 700)
        let data = get(1700, real: 99)
        #expect(data.flags == 2 | 4 | 8 && data.realtime == 99 && data.host_tsc == 5)
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
}
