// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// What a VM can be told to do otherwise: KVM_CAP_X86_DISABLE_EXITS, KVM_CAP_EXIT_ON_EMULATION_FAILURE.
@Suite struct VMCapTests {
    static let mwait: UInt32 = 1, hlt: UInt32 = 2, pause: UInt32 = 4
    let machine: FakeMachine

    init() throws { machine = try FakeMachine(reset: .skylake) }

    private func enable(_ cap: Int32, _ value: UInt64, _ vm: UnsafeMutablePointer<lkx_vm>) -> Int32 {
        var request = kvm_enable_cap()
        request.cap = UInt32(cap)
        request.args.0 = value
        return lkx_vm_enable_cap(vm, &request)
    }

    /// A VM of the same processor that has no vCPU yet.
    private func withVM(offering bits: UInt32, _ body: (UnsafeMutablePointer<lkx_vm>) -> Void) {
        machine.fake.pointee.caps.disable_exits = bits
        machine.vm.pointee.has_vcpus = false
        machine.vm.pointee.disabled_exits = 0
        body(machine.vm)
    }

    private func controls(disabled bits: UInt64) -> UInt64 {
        withVM(offering: 7) { #expect(enable(KVM_CAP_X86_DISABLE_EXITS, bits, $0) == 0) }
        lkx_vcpu_destroy(machine.vcpu)
        #expect(lkx_vcpu_init(machine.vcpu) == 0)
        #expect(UInt64(machine.fake.pointee.vcpu.proc_controls) == machine[VMCS_PROC_CONTROLS])
        return machine[VMCS_PROC_CONTROLS]
    }

    @Test func onlyExitsThatAreOffered() {
        for offered in 0..<8 as Range<UInt32> {
            for bits in 0..<32 as Range<UInt32> {
                withVM(offering: offered) {
                    let good = bits & ~offered == 0
                    #expect(enable(KVM_CAP_X86_DISABLE_EXITS, UInt64(bits), $0) == (good ? 0 : -EINVAL))
                    #expect($0.pointee.disabled_exits == (good ? bits : 0))
                }
            }
            withVM(offering: offered) { #expect(enable(KVM_CAP_X86_DISABLE_EXITS, 1 << 33, $0) == -EINVAL) }
        }
        withVM(offering: 7) {
            #expect(enable(KVM_CAP_X86_DISABLE_EXITS, 2, $0) == 0 && enable(KVM_CAP_X86_DISABLE_EXITS, 0, $0) == 0)
            #expect(enable(KVM_CAP_X86_DISABLE_EXITS, 4, $0) == 0 && $0.pointee.disabled_exits == 6)
        }
    }

    @Test func notOnceThereIsAVCPU() {
        machine.fake.pointee.caps.disable_exits = 7
        for bits in [0, 2, 7] as [UInt64] { #expect(enable(KVM_CAP_X86_DISABLE_EXITS, bits, machine.vm) == -EINVAL) }
        #expect(machine.vm.pointee.disabled_exits == 0)
    }

    @Test func theProcessorIsTold() {
        let all = controls(disabled: 0)
        #expect(all & (1 << 7 | 1 << 10 | 1 << 29) == 1 << 7 | 1 << 10 | 1 << 29 && all & (1 << 30) == 0)
        #expect(controls(disabled: 2) == all & ~(1 << 7))
        #expect(controls(disabled: 1) == all & ~(1 << 10 | 1 << 29))
        #expect(controls(disabled: 4) == all)
        // Windows come and go beside them.
        _ = controls(disabled: 2)
        lkx_queue_interrupt(machine.vcpu, 0x30)
        lkx_events_inject(machine.vcpu)
        #expect(machine[VMCS_PROC_CONTROLS] == all & ~(1 << 7) | 1 << 2)
    }

    /// A guest that halted by itself is awake for what it is given.
    @Test func aHaltedGuestIsWoken() {
        _ = controls(disabled: 2)
        func halt() { machine[VMCS_GUEST_ACTIVITY_STATE] = 1 }
        var regs = kvm_regs()
        lkx_get_regs(machine.vcpu, &regs)
        var sregs = kvm_sregs()
        lkx_get_sregs(machine.vcpu, &sregs)
        var events = kvm_vcpu_events()
        lkx_get_vcpu_events(machine.vcpu, &events)
        halt()
        lkx_set_regs(machine.vcpu, &regs)
        #expect(machine[VMCS_GUEST_ACTIVITY_STATE] == 0)
        halt()
        #expect(lkx_set_sregs(machine.vcpu, &sregs) == 0 && machine[VMCS_GUEST_ACTIVITY_STATE] == 0)
        halt()
        #expect(lkx_set_vcpu_events(machine.vcpu, &events) == 0 && machine[VMCS_GUEST_ACTIVITY_STATE] == 0)
        halt()
        lkx_events_inject(machine.vcpu)
        #expect(machine[VMCS_GUEST_ACTIVITY_STATE] == 1)
        lkx_queue_nmi(machine.vcpu)
        lkx_events_inject(machine.vcpu)
        #expect(machine[VMCS_GUEST_ACTIVITY_STATE] == 0)
    }

    @Test(arguments: [(0, false), (0, true), (3, false), (3, true)] as [(UInt64, Bool)])
    func whoseEmulationFailureItIs(cpl: UInt64, told: Bool) {
        #expect(enable(KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2, machine.vm) == -EINVAL)
        #expect(enable(KVM_CAP_EXIT_ON_EMULATION_FAILURE, told ? 1 : 0, machine.vm) == 0)
        machine[VMCS_GUEST_SS_ACCESS_RIGHTS] = 0x93 | cpl << 5
        let user = cpl == 0 || told
        #expect(lkx_emulation_failed(machine.vcpu) == (user ? 0 : 1))
        #expect(machine.raised?.vector == (user ? nil : UInt8(VECTOR_UD)))
        if user {
            #expect(fake_run(machine.fake)!.pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
            #expect(fake_run_failure(machine.fake).suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION))
        }
        // A task switch is nothing that a program could be told of by #UD.
        machine.fake.pointee.vcpu.events = lkx_events()
        machine.fake.pointee.vcpu.exit.reason = EXIT_TASK_SWITCH.rawValue
        #expect(lkx_exit_dispatch(machine.vcpu) == 0 && machine.raised == nil)
    }
}
