// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// What a guest that knows KVM shares with it: clock, wall clock, steal time.
@Suite struct PVTests {
    static let wallClock: UInt32 = 0x4b56_4d00, systemTime: UInt32 = 0x4b56_4d01, stealTime: UInt32 = 0x4b56_4d03
    let machine: FakeMachine
    let page: UInt64 = 0x3000
    let enabled: UInt64 = 0x3001

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine.addSlot(0, bytes: 0x10000)
        machine.fake.pointee.clocks = lkx_host_clocks(boot: 1000, real: 5_000_000_000, tsc: 0, epoch: 0, tsc_stable: true)
        machine.fake.pointee.tsc = 1_000_000
        var now = machine.fake.pointee.clocks
        now.tsc = 1_000_000
        lkx_clock_start(machine.vm, &now)
        lkx_vm_add_vcpu(machine.vm, machine.vcpu)
    }

    private func set(_ index: UInt32, _ value: UInt64) -> Bool { !lkx_msr_set(machine.vcpu, index, value, true) }
    private func get(_ index: UInt32) -> UInt64? {
        var value: UInt64 = 0
        return lkx_msr_get(machine.vcpu, index, &value, true) ? nil : value
    }

    /// What the next entry does.
    private func enter() { lkx_events_inject_some(machine.vcpu, false) }

    private struct Clock: Equatable {
        var version: UInt64, tsc: UInt64, ns: UInt64, mul: UInt64
        var shift: Int8, flags: UInt64
    }

    private func clock() -> Clock {
        Clock(
            version: machine.read(page, bytes: 4), tsc: machine.read(page + 8, bytes: 8),
            ns: machine.read(page + 16, bytes: 8), mul: machine.read(page + 24, bytes: 4),
            shift: Int8(truncatingIfNeeded: machine.read(page + 28, bytes: 1)), flags: machine.read(page + 29, bytes: 1))
    }

    /// The guest's arithmetic, by itself: what its clock says now.
    private func reading() -> UInt64 {
        let c = clock()
        let ticks = get(0x10)! &- c.tsc
        let shifted = c.shift < 0 ? ticks >> UInt64(-c.shift) : ticks << UInt64(c.shift)
        let product = shifted.multipliedFullWidth(by: c.mul)
        return c.ns &+ (product.high << 32 | product.low >> 32)
    }

    private func kvmClock() -> UInt64 {
        var now = machine.fake.pointee.clocks
        now.tsc = machine.fake.pointee.tsc
        var data = kvm_clock_data()
        lkx_clock_get(machine.vm, &now, &data)
        return data.clock
    }

    @Test func theGuestsClockIsKVMs() {
        #expect(set(Self.systemTime, enabled))
        #expect(get(Self.systemTime) == enabled)
        #expect(get(0x12) == enabled)
        #expect(clock().version == 0, "not before the entry")
        enter()
        #expect(clock().version == 2)
        #expect(clock().flags == 1)
        #expect(reading() == 0)
        #expect(kvmClock() == 0)
        machine.fake.pointee.tsc += 123_456_789
        #expect(reading() == 61_728_394)
        #expect(kvmClock() == 61_728_394)
        enter()
        #expect(clock().version == 2, "once written it is right for ever")
        var data = kvm_clock_data()
        let later: UInt64 = 1 << 50
        data.clock = later
        var now = machine.fake.pointee.clocks
        now.tsc = machine.fake.pointee.tsc
        #expect(lkx_clock_set(machine.vm, &now, &data) == 0)
        #expect(machine.fake.pointee.kicks == 1)
        enter()
        #expect(clock().version == 4)
        #expect(reading() == later)
        #expect(kvmClock() == later)
        // Off again: nobody writes there.
        #expect(set(0x12, page))
        lkx_pv_clocks_changed(machine.vm)
        #expect(machine.fake.pointee.vcpu.events.requests == 2)
        enter()
        #expect(clock().version == 4)
        #expect(machine.fake.pointee.vcpu.events.requests == 0)
    }

    @Test func aWrittenTSCAndAnotherRateChangeNothingOfTheTime() {
        #expect(set(Self.systemTime, enabled))
        enter()
        machine.fake.pointee.tsc += 4_000_000
        #expect(set(0x10, 77))
        enter()
        #expect(clock().version == 4)
        #expect(reading() == 2_000_000)
        #expect(lkx_tsc_set_khz(machine.vcpu, 1_000_000))
        enter()
        machine.fake.pointee.tsc += 4_000_000
        #expect(reading() == 4_000_000)
        #expect(kvmClock() == 4_000_000)
    }

    @Test func onlyTSCsThatAreOneAreStable() {
        let other = UnsafeMutablePointer<lkx_vcpu>.allocate(capacity: 1)
        defer { other.deallocate() }
        other.initialize(to: machine.vcpu.pointee)
        other.pointee.tsc_offset &+= 1
        lkx_vm_add_vcpu(machine.vm, other)
        #expect(set(Self.systemTime, enabled))
        enter()
        #expect(clock().flags == 0)
        // Both are asked to look when one changes.
        other.pointee.pv.clock = 1
        lkx_tsc_write(machine.vcpu, 5)
        #expect(other.pointee.events.requests == 2)
        #expect(machine.fake.pointee.vcpu.events.requests == 2)
        other.pointee.tsc_offset = machine.fake.pointee.vcpu.tsc_offset
        enter()
        #expect(clock().flags == 1)
        // The host's TSCs are several.
        machine.fake.pointee.clocks.tsc_stable = false
        machine.fake.pointee.clocks.boot = 9000
        lkx_pv_moved(machine.vcpu)
        enter()
        #expect(clock().flags == 0)
        #expect(reading() == 8000)
        #expect(kvmClock() == 8000)
    }

    @Test func aClockOfASleepingHostGoesOn() {
        #expect(set(Self.systemTime, enabled))
        enter()
        machine.fake.pointee.tsc = 10
        machine.fake.pointee.clocks.epoch = 1
        machine.fake.pointee.clocks.boot = 1_000_000_000
        lkx_pv_moved(machine.vcpu)
        enter()
        #expect(reading() == 999_999_000)
        #expect(kvmClock() == 999_999_000)
        machine.fake.pointee.tsc += 20
        #expect(reading() == 999_999_010)
        #expect(kvmClock() == 999_999_010)
    }

    @Test func versionsAreOddWhileItIsWritten() {
        // Somebody's odd version is never taken for a whole structure.
        machine.write(page, 7, bytes: 4)
        machine.write(page + 29, 0xfe, bytes: 1)
        #expect(set(Self.systemTime, enabled))
        let before = machine.fake.pointee.writes_of_user_memory
        enter()
        #expect(clock().version == 10)
        #expect(machine.fake.pointee.writes_of_user_memory == before + 3)
        #expect(clock().flags == 3, "the guest's own flag stays")
    }

    @Test func aPauseIsTold() {
        #expect(lkx_pv_clock_paused(machine.vcpu) == -EINVAL)
        #expect(set(Self.systemTime, enabled))
        enter()
        #expect(lkx_pv_clock_paused(machine.vcpu) == 0)
        enter()
        #expect(clock().flags == 3)
        lkx_pv_clocks_changed(machine.vm)
        enter()
        #expect(clock().flags == 3, "until the guest has seen it")
        machine.write(page + 29, 1, bytes: 1)
        lkx_pv_clocks_changed(machine.vm)
        enter()
        #expect(clock().flags == 1)
    }

    @Test(arguments: [0x20000, 0xfff0, 0xffff_ffff_ffff_f000, 0xffff_ffff_ffff_fff0] as [UInt64])
    func memoryThatIsNotThereIsPassedOver(gpa: UInt64) {
        let odd: UInt64 = gpa | 1
        let aligned: UInt64 = (gpa & ~63) | 1
        for msr in [Self.systemTime, 0x12, Self.wallClock, 0x11] { #expect(set(msr, odd)) }
        #expect(set(Self.stealTime, aligned))
        enter()
        lkx_pv_preempted(machine.vcpu)
        #expect(machine.raised == nil)
        #expect(machine.fake.pointee.vcpu.events.requests == 0)
    }

    private func wall() -> [UInt64] { [0x2000, 0x2004, 0x2008].map { machine.read($0, bytes: 4) } }

    @Test func theWallClockIsRealTimeLessTheClock() {
        machine.fake.pointee.tsc += 2_000_000_000
        #expect(set(Self.wallClock, 0x2000))
        #expect(get(0x11) == 0x2000)
        #expect(wall() == [2, 4, 0])
        machine.fake.pointee.clocks.real = 7_000_000_123
        #expect(set(0x11, 0x2000))
        #expect(wall() == [4, 6, 123])
    }

    /// Time, version, preempted.
    private func steal() -> [UInt64] {
        [machine.read(page, bytes: 8), machine.read(page + 8, bytes: 4), machine.read(page + 16, bytes: 1)]
    }

    @Test func stolenTimeIsWhatTheThreadWaited() {
        for reserved in [2, 4, 8, 16, 32] as [UInt64] { #expect(!set(Self.stealTime, enabled | reserved)) }
        machine.fake.pointee.run_delay = 1000
        #expect(set(Self.stealTime, enabled))
        #expect(get(Self.stealTime) == enabled)
        enter()
        #expect(steal() == [0, 2, 0], "not what was before")
        lkx_pv_scheduled_out(machine.vcpu)
        #expect(steal() == [0, 2, 1])
        machine.fake.pointee.run_delay = 1700
        lkx_pv_scheduled_in(machine.vcpu)
        enter()
        #expect(steal() == [700, 4, 0])
        // Another thread has waited less.
        machine.fake.pointee.run_delay = 50
        lkx_pv_scheduled_in(machine.vcpu)
        enter()
        #expect(steal() == [700, 6, 0])
        #expect(set(Self.stealTime, 0))
        lkx_pv_scheduled_out(machine.vcpu)
        #expect(steal() == [700, 6, 0])
    }

    @Test func initTakesBoth() {
        #expect(set(Self.systemTime, enabled))
        #expect(set(Self.stealTime, enabled))
        #expect(set(Self.wallClock, 0x2000))
        enter()
        let before = clock()
        lkx_vcpu_init_reset(machine.vcpu)
        #expect(get(Self.systemTime) == 0)
        #expect(get(Self.stealTime) == 0)
        #expect(get(Self.wallClock) == 0x2000, "the VM's, not the vCPU's")
        lkx_pv_clocks_changed(machine.vm)
        lkx_pv_scheduled_in(machine.vcpu)
        enter()
        #expect(clock() == before)
    }

    @Test func aVMMsWritesOfSeveralTSCsMeanOne() {
        machine.fake.pointee.tsc = 10_000_000_000
        let second: UInt64 = 2_000_000_000
        func write(_ value: UInt64) -> UInt64 {
            #expect(!lkx_msr_set(machine.vcpu, 0x10, value, false))
            return get(0x10)!
        }
        #expect(write(1000) == 1000, "the first counts, wherever it lies")
        machine.fake.pointee.tsc += 500
        let within = second + 1499
        let beyond = second + 1501
        #expect(write(1000) == 1500)
        #expect(write(within) == 1500)
        #expect(write(0) == 1500)
        #expect(write(beyond) == beyond)
        #expect(machine.vm.pointee.tsc_offset == machine.vcpu.pointee.tsc_offset)
        #expect(write(beyond + 1) == beyond)
    }

    @Test func announcedByCPUID() {
        var out: [UInt32] = [0, 0, 0, 0]
        lkx_cpuid_answer(machine.vcpu, 0x4000_0000, 0, &out)
        let name: [UInt8] = out[1...3].flatMap { (word: UInt32) -> [UInt8] in
            [UInt8(word & 0xff), UInt8(word >> 8 & 0xff), UInt8(word >> 16 & 0xff), UInt8(word >> 24)]
        }
        #expect(out[0] == 0x4000_0001)
        #expect(String(decoding: name, as: UTF8.self) == "KVMKVMKVM\0\0\0")
        lkx_cpuid_answer(machine.vcpu, 0x4000_0001, 0, &out)
        #expect(out == [0x0100_00eb, 0, 0, 0])
    }
}
