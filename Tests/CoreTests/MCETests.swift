// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// Machine-check banks: what a VMM reports, and what its guest finds. SDM vol. 3, 16.3.
@Suite struct MCETests: MSRAccess {
    static let valid: UInt64 = 1 << 63
    static let overflow: UInt64 = 1 << 62
    static let uncorrected: UInt64 = 1 << 61
    static let hasControl: UInt64 = 1 << 8
    static let inProgress: UInt64 = 4
    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
    }

    private func report(_ bank: UInt8, _ status: UInt64, address: UInt64 = 0, global: UInt64 = 5) -> Int32 {
        var mce = kvm_x86_mce()
        (mce.bank, mce.status, mce.addr, mce.misc, mce.mcg_status) = (bank, status, address, address + 1, global)
        return lkx_mce_set(machine.vcpu, &mce)
    }

    /// IA32_MCi_STATUS.
    private func status(_ bank: UInt32) -> UInt64? { get(0x401 + 4 * bank) }

    /// CR4.MCE.
    private func allowExceptions() { lkx_cr4_load(machine.vcpu, 0x40) }

    @Test func whatCanBeSetUp() {
        for cap in [0, 33, 0xff, 0x100, 0x201, 1 << 27 | 1, 1 << 63 | 1] as [UInt64] {
            #expect(lkx_mce_setup(machine.vcpu, cap) == -EINVAL, "\(cap)")
        }
        #expect(get(0x179) == 0 && get(0x400) == nil && !set(0x401, 0) && report(0, Self.valid) == -EINVAL)
        for cap in [1, 32, Self.hasControl | 10, 1 << 24 | 0x7f_0000 | 3] as [UInt64] {
            #expect(lkx_mce_setup(machine.vcpu, cap) == 0 && get(0x179) == cap)
            let banks = UInt32(cap & 0xff)
            #expect(get(0x400) == ~0 && get(0x400 + 4 * banks - 1) == 0)
            #expect(get(0x400 + 4 * banks) == nil && !set(0x400 + 4 * banks, 0, byGuest: false))
        }
    }

    @Test func whatCanBeWritten() {
        #expect(get(0x17b) == nil && get(0x17b, byGuest: false) == 0, "no IA32_MCG_CTL")
        #expect(set(0x17b, 0, byGuest: false) && !set(0x17b, ~0, byGuest: false))
        #expect(lkx_mce_setup(machine.vcpu, Self.hasControl | 10) == 0)
        #expect(get(0x17b) == ~0 && set(0x17b, 0) && !set(0x17b, 1) && get(0x17b) == 0 && set(0x17b, ~0))
        #expect(set(0x410, 0) && set(0x410, ~0x401) && get(0x410) == ~0x401 && !set(0x410, ~2) && !set(0x410, 0x401))
        #expect(set(0x411, 0) && !set(0x411, 1) && set(0x411, 77, byGuest: false) && get(0x411) == 77)
        #expect(set(0x412, 5) && set(0x413, 6) && get(0x412) == 5 && get(0x413) == 6)
        #expect(get(0x40e) == 0 && get(0x416) == 0, "of other banks")
    }

    @Test func correctedErrorsAreOnlyNoted() {
        #expect(lkx_mce_setup(machine.vcpu, Self.hasControl | 10) == 0)
        #expect(report(9, 1) == -EINVAL && report(10, Self.valid) == -EINVAL)
        #expect(report(9, Self.valid | 7, address: 0x1000) == 0)
        #expect(status(9) == Self.valid | 7 && get(0x426) == 0x1000 && get(0x427) == 0x1001)
        #expect(report(9, Self.valid | 8, address: 0x2000) == 0)
        #expect(status(9) == Self.valid | Self.overflow | 8 && get(0x426) == 0x2000)
        #expect(machine.raised == nil && get(0x17a) == 0)
    }

    @Test func uncorrectedOnesAreExceptions() {
        allowExceptions()
        #expect(lkx_mce_setup(machine.vcpu, Self.hasControl | 10) == 0)
        #expect(report(2, Self.valid | 1) == 0)
        // Unless it needs no action: UCNA.
        #expect(report(2, Self.valid | Self.uncorrected | 9, global: 0) == 0)
        #expect(
            machine.raised == nil && status(2) == Self.valid | Self.overflow | Self.uncorrected | 9 && get(0x17a) == 0)
        for bit in [55, 56, 57] as [UInt64] {
            #expect(report(1, Self.valid | Self.uncorrected | 1 << bit, global: 0) == 0 && machine.raised?.vector == 18)
            machine.fake.pointee.vcpu.events = lkx_events()
        }
        #expect(report(2, Self.valid | Self.uncorrected | 2, address: 0x3000) == 0)
        #expect(machine.raised?.vector == 18 && get(0x17a) == 5)
        #expect(status(2) == Self.valid | Self.overflow | Self.uncorrected | 2 && get(0x40a) == 0x3000)
        // It stays, whatever comes of the lesser kind.
        #expect(report(2, Self.valid | 3, address: 0x4000) == 0)
        #expect(status(2) == Self.valid | Self.overflow | Self.uncorrected | 2 && get(0x40a) == 0x3000)
        #expect(!machine.fake.pointee.vcpu.triple_fault)
    }

    @Test func nobodyIsToldOfWhatIsNotEnabled() {
        allowExceptions()
        #expect(lkx_mce_setup(machine.vcpu, Self.hasControl | 10) == 0)
        #expect(set(0x404, ~1) && report(1, Self.valid | Self.uncorrected) == 0 && status(1) == 0)
        #expect(set(0x17b, 0) && report(2, Self.valid | Self.uncorrected) == 0 && status(2) == 0)
        #expect(machine.raised == nil && !machine.fake.pointee.vcpu.triple_fault)
        // Without IA32_MCG_CTL nothing can be off.
        #expect(lkx_mce_setup(machine.vcpu, 10) == 0)
        #expect(report(2, Self.valid | Self.uncorrected) == 0 && machine.raised?.vector == 18)
    }

    @Test(arguments: [false, true]) func whoeverCannotTakeItShutsDown(enabled: Bool) {
        if enabled {
            allowExceptions()
            #expect(set(0x17a, Self.inProgress))
        }
        #expect(lkx_mce_setup(machine.vcpu, 10) == 0)
        #expect(report(0, Self.valid | Self.uncorrected) == 0)
        #expect(machine.fake.pointee.vcpu.triple_fault && machine.raised == nil && status(0) == 0)
    }
}
