// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXSim

/// Guest/host masks and read shadows. SDM vol. 3, 25.6.6 and 26.3.
@Suite struct ControlRegisterTests {
    private let vmcs = VMCS()
    private let capabilities = Capabilities.skylakeX

    init() {
        vmcs[.procControls] = ProcControl.secondaryControls.mask
        vmcs[.proc2Controls] = Proc2Control.unrestrictedGuest.mask
    }

    @Test func readsMixShadowAndRegister() {
        vmcs[.cr0GuestHostMask] = 0x8000_0021
        vmcs[.cr0ReadShadow] = 0x11
        #expect(vmcs.readCR0(0x8005_0033) == 0x0005_0013)
        vmcs[.cr4GuestHostMask] = 0x2000
        vmcs[.cr4ReadShadow] = 0
        #expect(vmcs.readCR4(0x2620) == 0x620)
    }

    @Test(arguments: [
        // mask, shadow, real, value, expected: nil exits
        (0x21, 0x01, 0x33, 0x13, 0x33), (0x21, 0x01, 0x33, 0x12, nil), (0x21, 0x01, 0x33, 0x33, nil),
        (0x20, 0x00, 0x30, 0x1B, 0x3B), (0x00, 0x00, 0x31, 0x3B, 0x3B),
    ] as [(UInt64, UInt64, UInt64, UInt64, UInt64?)])
    func writesToCR0(_ mask: UInt64, _ shadow: UInt64, _ real: UInt64, _ value: UInt64, _ expected: UInt64?) {
        vmcs[.cr0GuestHostMask] = mask
        vmcs[.cr0ReadShadow] = shadow
        let wanted: ControlRegisterAccess = expected.map { .write($0) } ?? .exit(qualification: 0x300)
        #expect(vmcs.writeCR0(value, over: real, register: 3, capabilities) == wanted)
    }

    @Test func bitsThatVMXFixesRaiseGeneralProtection() {
        // NE is the guest's to clear as far as the mask goes, but not in VMX operation.
        #expect(vmcs.writeCR0(0x11, over: 0x31, register: 0, capabilities) == .generalProtection)
        #expect(vmcs.writeCR0(0x20, over: 0x31, register: 0, capabilities) == .write(0x20))
        vmcs[.proc2Controls] = 0
        #expect(vmcs.writeCR0(0x20, over: 0x31, register: 0, capabilities) == .generalProtection)
        #expect(vmcs.writeCR4(0x20, over: 0x2000, register: 0, capabilities) == .generalProtection)
        #expect(vmcs.writeCR4(0x40_2000, over: 0x2000, register: 0, capabilities) == .generalProtection)
        #expect(vmcs.writeCR4(0x2020, over: 0x2000, register: 0, capabilities) == .write(0x2020))
    }

    @Test func targetValuesOfCR3DontExit() {
        #expect(vmcs.writeCR3(0x5000, register: 1) == .write(0x5000))
        vmcs[.procControls] |= ProcControl.cr3LoadExiting.mask
        vmcs[.cr3TargetCount] = 2
        vmcs[.cr3TargetValue1] = 0x5000
        vmcs[.cr3TargetValue2] = 0x6000
        #expect(vmcs.writeCR3(0x5000, register: 1) == .write(0x5000))
        #expect(vmcs.writeCR3(0x6000, register: 1) == .exit(qualification: 0x103))
    }

    @Test func cltsLooksAtMaskAndShadow() {
        #expect(vmcs.clts(0x3B) == .write(0x33))
        vmcs[.cr0GuestHostMask] = 8
        #expect(vmcs.clts(0x3B) == .write(0x3B))
        vmcs[.cr0ReadShadow] = 8
        #expect(vmcs.clts(0x33) == .exit(qualification: 0x20))
    }

    @Test(arguments: [
        // mask, shadow, real, source, expected: nil exits
        (0x0, 0x0, 0x31, 0xE, 0x3F), (0x0, 0x0, 0x30, 0x1, 0x31), (0x1, 0x0, 0x31, 0x1, nil), (0x1, 0x1, 0x31, 0x0, 0x31),
        (0x8, 0x0, 0x31, 0x8, nil), (0x8, 0x8, 0x31, 0x8, 0x31), (0x8, 0x8, 0x31, 0x0, nil),
    ] as [(UInt64, UInt64, UInt64, UInt16, UInt64?)])
    func lmsw(_ mask: UInt64, _ shadow: UInt64, _ real: UInt64, _ source: UInt16, _ expected: UInt64?) {
        vmcs[.cr0GuestHostMask] = mask
        vmcs[.cr0ReadShadow] = shadow
        let wanted: ControlRegisterAccess =
            expected.map { .write($0) } ?? .exit(qualification: 0x30 | UInt64(source) << 16)
        #expect(vmcs.lmsw(source, over: real, fromMemory: false) == wanted)
    }
}
