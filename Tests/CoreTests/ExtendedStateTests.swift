// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// KVM_GET/SET_DEBUGREGS, XCRS, SREGS2, and what KVM_SET_XSAVE refuses.
@Suite struct ExtendedStateTests {
    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine(reset: .skylake)
        machine.addSlot(0, bytes: 0x20000)
    }

    private func bytes<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    @Test func debugRegisters() {
        var s = kvm_debugregs()
        lkx_get_debugregs(machine.vcpu, &s)
        #expect(s.dr6 == 0xFFFF_0FF0 && s.dr7 == 0x400)
        s.db = (1, 2, 3, 0xFFFF_8000_0000_0004)
        s.dr6 = 0x4001
        s.dr7 = 0xFFFF_FFFF
        #expect(lkx_set_debugregs(machine.vcpu, &s) == 0)
        var back = kvm_debugregs()
        lkx_get_debugregs(machine.vcpu, &back)
        #expect(bytes(back.db) == bytes(s.db) && back.dr6 == 0xFFFF_4FF1 && back.dr7 == 0xFFFF_2FFF)
        #expect(machine[VMCS_GUEST_DR7] == 0xFFFF_2FFF)
        for change: (inout kvm_debugregs) -> Void in [
            { $0.flags = 1 }, { $0.dr6 = 1 << 32 }, { $0.dr7 = 1 << 63 },
        ] {
            var bad = kvm_debugregs()
            change(&bad)
            #expect(lkx_set_debugregs(machine.vcpu, &bad) == -EINVAL)
        }
        lkx_get_debugregs(machine.vcpu, &s)
        #expect(bytes(s) == bytes(back))
    }

    @Test func extendedControlRegister() {
        machine.fake.pointee.vcpu.guest_xcr0_allowed = 7
        var s = kvm_xcrs()
        lkx_get_xcrs(machine.vcpu, &s)
        #expect(s.nr_xcrs == 1 && s.xcrs.0.xcr == 0 && s.xcrs.0.value == 1)
        func set(_ value: UInt64, number: UInt32 = 0, count: UInt32 = 1, flags: UInt32 = 0) -> Int32 {
            var s = kvm_xcrs()
            (s.nr_xcrs, s.flags) = (count, flags)
            s.xcrs.0.xcr = number
            s.xcrs.0.value = value
            return lkx_set_xcrs(machine.vcpu, &s)
        }
        #expect(set(7) == 0 && machine.fake.pointee.vcpu.xcr0 == 7)
        for (value, count, flags) in [(0, 1, 0), (5, 1, 0), (0xE7, 1, 0), (1 << 63, 1, 0), (3, 17, 0), (3, 1, 1)]
            as [(UInt64, UInt32, UInt32)]
        {
            #expect(set(value, count: count, flags: flags) == -EINVAL, "\(value) \(count) \(flags)")
        }
        #expect(machine.fake.pointee.vcpu.xcr0 == 7)
        #expect(set(0, number: 1) == 0 && set(0, count: 0) == 0, "there is no XCR1")
        #expect(machine.fake.pointee.vcpu.xcr0 == 7)
    }

    @Test func imagesThatXRSTORWouldRefuse() {
        machine.fake.pointee.host_xcr0 = 0x2FF
        func check(_ change: (UnsafeMutableRawBufferPointer) -> Void) -> Int32 {
            var image = kvm_xsave()
            withUnsafeMutableBytes(of: &image) {
                $0.storeBytes(of: 0x1F80, toByteOffset: 24, as: UInt32.self)
                change($0)
            }
            return lkx_xsave_check(machine.fake.pointer(to: \.hw)!, &image)
        }
        for features: UInt64 in [0, 1, 2, 3, 7, 0xE7] {
            #expect(check { $0.storeBytes(of: features, toByteOffset: 512, as: UInt64.self) } == 0, "\(features)")
        }
        for features: UInt64 in [1 << 3, 1 << 4, 1 << 9, 1 << 18, 1 << 62, 1 << 63] {
            #expect(check { $0.storeBytes(of: features, toByteOffset: 512, as: UInt64.self) } == -EINVAL, "\(features)")
        }
        for offset in 520..<576 { #expect(check { $0[offset] = 1 } == -EINVAL, "byte \(offset)") }
        for offset in [0, 511, 576, 4095] { #expect(check { $0[offset] = 1 } == 0, "byte \(offset)") }
        // MXCSR, unless nothing in the image has to do with it.
        for (features, result) in [(0, 0), (1, -EINVAL), (2, -EINVAL), (4, -EINVAL), (0xE0, 0)] as [(UInt64, Int32)] {
            #expect(
                check {
                    $0.storeBytes(of: features, toByteOffset: 512, as: UInt64.self)
                    $0.storeBytes(of: 0x1_0000, toByteOffset: 24, as: UInt32.self)
                } == result, "\(features)")
        }
        machine.fake.pointee.host_xcr0 = 3
        #expect(check { $0.storeBytes(of: 4, toByteOffset: 512, as: UInt64.self) } == -EINVAL)
    }

    private func specials(_ change: (inout kvm_sregs2) -> Void) -> Int32 {
        var s = kvm_sregs2()
        lkx_get_sregs2(machine.vcpu, &s)
        change(&s)
        return lkx_set_sregs2(machine.vcpu, &s)
    }

    @Test func directoryPointersComeBackAsTheyWent() {
        let paging: (inout kvm_sregs2) -> Void = {
            $0.cr0 = 0x8000_0011
            $0.cr4 = 0x20
            $0.cr3 = 0x5000
        }
        machine.write(0x5000, 0x6001, bytes: 8)
        #expect(specials(paging) == 0)
        #expect(machine[VMCS_GUEST_PDPTE0] == 0x6001, "from memory, where none are given")
        #expect(
            specials {
                paging(&$0)
                $0.flags = UInt64(KVM_SREGS2_FLAGS_PDPTRS_VALID)
                $0.pdptrs = (0x7001, 0x8001, 0, 0x9001)
            } == 0)
        var back = kvm_sregs2()
        lkx_get_sregs2(machine.vcpu, &back)
        #expect(back.flags == 1 && back.pdptrs == (0x7001, 0x8001, 0, 0x9001))
        #expect(specials { $0.flags = 2 } == -EINVAL)
        #expect(
            specials {
                $0.cr4 = 0
                $0.flags = 1
            } == -EINVAL, "no PAE paging, no PDPTEs")
        #expect(
            specials {
                $0.cr4 = 0
                $0.flags = 0
            } == 0)
        lkx_get_sregs2(machine.vcpu, &back)
        #expect(back.flags == 0 && back.pdptrs == (0, 0, 0, 0))
    }

    @Test func featureMSRs() {
        var indices: [UInt32] = [0, 0, 0]
        #expect(lkx_msr_feature_list(&indices, 0) == 1 && indices[0] == 0)
        #expect(lkx_msr_feature_list(&indices, 3) == 1 && indices == [0x8B, 0, 0])
        var value: UInt64 = 0
        #expect(!lkx_msr_feature(0x8B, &value))
        var own: UInt64 = 0
        #expect(!lkx_msr_get(machine.vcpu, 0x8B, &own, false) && own == value && value != 0, "as a new vCPU has it")
        #expect(lkx_msr_feature(0x10, &value))
    }
}
