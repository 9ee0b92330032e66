// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import Testing

/// KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS.
@Suite struct VCPUEventsTests {
    let machine: FakeMachine

    init() throws { machine = try FakeMachine(reset: .skylake) }

    private var events: kvm_vcpu_events {
        var s = kvm_vcpu_events()
        lkx_get_vcpu_events(machine.vcpu, &s)
        return s
    }

    private func set(_ change: (inout kvm_vcpu_events) -> Void) -> Int32 {
        var s = kvm_vcpu_events()
        change(&s)
        return lkx_set_vcpu_events(machine.vcpu, &s)
    }

    private func enable(_ capability: Int32, _ on: UInt64 = 1) {
        var cap = kvm_enable_cap()
        cap.cap = UInt32(capability)
        cap.args.0 = on
        #expect(lkx_vm_enable_cap(machine.vm, &cap) == 0)
    }

    private func bytes<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
    private var interruptibility: UInt64 { machine[VMCS_GUEST_INTERRUPTIBILITY] }
    private var pending: lkx_events { machine.fake.pointee.vcpu.events }

    @Test func aVCPUThatWasJustMadeHasNothing() {
        var nothing = kvm_vcpu_events()
        nothing.flags = UInt32(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW)
        #expect(bytes(events) == bytes(nothing))
    }

    @Test func pendingAndInjectedAreOneUnlessAskedFor() {
        lkx_queue_exception_error(machine.vcpu, UInt8(VECTOR_GP), 0x18)
        #expect(events.exception.injected == 1 && events.exception.pending == 0)
        #expect(events.exception.nr == 13 && events.exception.has_error_code == 1 && events.exception.error_code == 0x18)
        enable(KVM_CAP_EXCEPTION_PAYLOAD)
        #expect(events.exception.injected == 0 && events.exception.pending == 1)
        #expect(events.flags & UInt32(KVM_VCPUEVENT_VALID_PAYLOAD) != 0)
        enable(KVM_CAP_EXCEPTION_PAYLOAD, 0)
        #expect(events.exception.injected == 1 && events.flags & UInt32(KVM_VCPUEVENT_VALID_PAYLOAD) == 0)
    }

    @Test func softEventsAreNotTold() {
        machine.fake.pointee.vcpu.events.exception_injected = true
        machine.fake.pointee.vcpu.events.exception_soft = true
        machine.fake.pointee.vcpu.events.exception_vector = 3
        #expect(events.exception.injected == 0)
        machine.fake.pointee.vcpu.events = lkx_events()
        machine.fake.pointee.vcpu.events.interrupt_injected = true
        machine.fake.pointee.vcpu.events.interrupt_soft = true
        #expect(events.interrupt.injected == 0)
        machine.fake.pointee.vcpu.events.interrupt_soft = false
        machine.fake.pointee.vcpu.events.interrupt_vector = 77
        #expect(events.interrupt.injected == 1 && events.interrupt.nr == 77)
    }

    @Test func whatIsSetIsOnItsWay() {
        let flags = UInt32(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW)
        #expect(
            set {
                $0.exception.injected = 1
                $0.exception.nr = 14
                $0.exception.has_error_code = 1
                $0.exception.error_code = 7
                $0.interrupt.injected = 1
                $0.interrupt.nr = 33
                $0.interrupt.shadow = UInt8(KVM_X86_SHADOW_INT_MOV_SS | KVM_X86_SHADOW_INT_STI)
                $0.nmi.pending = 2
                $0.nmi.masked = 1
                $0.flags = flags
            } == 0)
        #expect(pending.exception_injected && pending.exception_vector == 14 && pending.exception_error == 7)
        #expect(pending.interrupt_pending && pending.interrupt_vector == 33)
        #expect(pending.nmi_pending == 1, "one waits behind the one in service")
        #expect(interruptibility == 0xA, "MOV SS before STI, and NMIs are blocked")
        // Without the flags these stay, the others go.
        #expect(set { _ in } == 0)
        #expect(pending.nmi_pending == 1 && interruptibility == 2)
        #expect(!pending.exception_injected && !pending.interrupt_pending)
        #expect(
            set {
                $0.flags = flags
                $0.interrupt.shadow = UInt8(KVM_X86_SHADOW_INT_STI)
                $0.nmi.pending = 9
            } == 0)
        #expect(interruptibility == 1 && pending.nmi_pending == 2)
    }

    @Test func aStepUnderAShadowIsPending() {
        machine[VMCS_GUEST_RFLAGS] = 0x102
        let shadow: (inout kvm_vcpu_events) -> Void = {
            $0.flags = UInt32(KVM_VCPUEVENT_VALID_SHADOW)
            $0.interrupt.shadow = UInt8(KVM_X86_SHADOW_INT_STI)
        }
        #expect(set(shadow) == 0)
        #expect(machine[VMCS_GUEST_PENDING_DEBUG] == 1 << 14)
        #expect(set { $0.flags = UInt32(KVM_VCPUEVENT_VALID_SHADOW) } == 0)
        #expect(machine[VMCS_GUEST_PENDING_DEBUG] == 0)
        machine[VMCS_GUEST_RFLAGS] = 2
        #expect(set(shadow) == 0)
        #expect(machine[VMCS_GUEST_PENDING_DEBUG] == 0)
    }

    @Test func whatIsNotThereIsRefusedWhole() {
        lkx_queue_nmi(machine.vcpu)
        let before = bytes(events)
        let bad: [(String, (inout kvm_vcpu_events) -> Void)] = [
            ("an unknown flag", { $0.flags = 0x40 }),
            ("a SIPI vector", { $0.flags = UInt32(KVM_VCPUEVENT_VALID_SIPI_VECTOR) }),
            ("a payload that nobody turned on", { $0.flags = UInt32(KVM_VCPUEVENT_VALID_PAYLOAD) }),
            ("a triple fault that nobody turned on", { $0.flags = UInt32(KVM_VCPUEVENT_VALID_TRIPLE_FAULT) }),
            (
                "SMM",
                {
                    $0.flags = UInt32(KVM_VCPUEVENT_VALID_SMM)
                    $0.smi.smm = 1
                }
            ),
            (
                "a latched INIT",
                {
                    $0.flags = UInt32(KVM_VCPUEVENT_VALID_SMM)
                    $0.smi.latched_init = 1
                }
            ),
            (
                "INT n",
                {
                    $0.interrupt.injected = 1
                    $0.interrupt.soft = 1
                }
            ),
            (
                "vector 32",
                {
                    $0.exception.injected = 1
                    $0.exception.nr = 32
                }
            ),
            (
                "an NMI as exception",
                {
                    $0.exception.injected = 1
                    $0.exception.nr = 2
                }
            ),
            (
                "an error code of 16 bits",
                {
                    $0.exception.injected = 1
                    $0.exception.nr = 13
                    $0.exception.has_error_code = 1
                    $0.exception.error_code = 0x8000
                }
            ),
        ]
        for (name, change) in bad {
            #expect(set(change) == -EINVAL, "\(name)")
            #expect(bytes(events) == before, "\(name)")
        }
        #expect(set { $0.flags = UInt32(KVM_VCPUEVENT_VALID_SMM) } == 0, "that there is no SMM is so")
        #expect(set { $0.exception.nr = 77 } == 0, "nobody looks at the vector of no exception")
    }

    @Test func aPayloadArrivesWithItsException() {
        enable(KVM_CAP_EXCEPTION_PAYLOAD)
        machine.fake.pointee.vcpu.cr2 = 0x1111
        let fault: (inout kvm_vcpu_events) -> Void = {
            $0.flags = UInt32(KVM_VCPUEVENT_VALID_PAYLOAD)
            $0.exception.pending = 1
            $0.exception.injected = 1
            $0.exception.nr = 14
            $0.exception_has_payload = 1
            $0.exception_payload = 0x2222
        }
        #expect(set(fault) == 0)
        #expect(pending.exception_pending && !pending.exception_injected)
        #expect(events.exception_has_payload == 1 && events.exception_payload == 0x2222)
        #expect(machine.fake.pointee.vcpu.cr2 == 0x1111)
        lkx_events_inject_some(machine.vcpu, false)
        #expect(machine.fake.pointee.vcpu.cr2 == 0x2222 && machine[VMCS_ENTRY_INTERRUPTION_INFO] & 0xFF == 14)

        machine[VMCS_GUEST_DR7] = 0x2400
        machine.fake.pointee.vcpu.dr6 = 0xFFFF_0FF3
        #expect(
            set {
                fault(&$0)
                $0.exception.nr = 1
                $0.exception_payload = 0x5004
            } == 0)
        // Read by who doesn't know payloads, it is delivered.
        enable(KVM_CAP_EXCEPTION_PAYLOAD, 0)
        #expect(events.exception.injected == 1 && events.exception_has_payload == 0)
        #expect(machine.fake.pointee.vcpu.dr6 == 0xFFFF_4FF4, "bit 12 is none of DR6's")
        #expect(machine[VMCS_GUEST_DR7] == 0x400, "GD is off for the handler")
        // One that the core raises has its own.
        enable(KVM_CAP_EXCEPTION_PAYLOAD)
        #expect(set(fault) == 0)
        #expect(set { _ in } == 0)
        lkx_queue_page_fault(machine.vcpu, 0x3333, 0)
        lkx_events_inject_some(machine.vcpu, false)
        #expect(machine.fake.pointee.vcpu.cr2 == 0x3333)
    }

    @Test func aTripleFaultOnItsWayIsToldAndTaken() {
        enable(KVM_CAP_X86_TRIPLE_FAULT_EVENT)
        let flag = UInt32(KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
        #expect(events.flags & flag != 0 && events.triple_fault.pending == 0)
        #expect(
            set {
                $0.flags = flag
                $0.triple_fault.pending = 1
            } == 0)
        #expect(machine.fake.pointee.vcpu.triple_fault && events.triple_fault.pending == 1)
    }

    @Test func whatCanNotBeEnabled() {
        var cap = kvm_enable_cap()
        cap.cap = UInt32(KVM_CAP_USER_MEMORY)
        #expect(lkx_vm_enable_cap(machine.vm, &cap) == -EINVAL)
        cap.cap = UInt32(KVM_CAP_EXCEPTION_PAYLOAD)
        cap.flags = 1
        #expect(lkx_vm_enable_cap(machine.vm, &cap) == -EINVAL)
    }
}
