// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import CKVMABI

/// A VM with its memory and its first vCPU, ready to run. It stays as it was made: Swift 6.3's optimiser fails on a setter of what can't be copied.
public struct NewMachine: ~Copyable {
    public let vm: VirtualMachine
    public let vcpu: VCPU

    public init(vm: consuming VirtualMachine, vcpu: consuming VCPU) {
        self.vm = vm
        self.vcpu = vcpu
    }
}

/// What a new vCPU is given; what is nil stays as the device has it after reset.
public struct VCPUStart: Sendable {
    public var id: UInt32
    public var cpuid: CPUIDTable?
    public var specialRegisters: kvm_sregs?
    public var registers: kvm_regs?

    public init(
        id: UInt32 = 0, cpuid: CPUIDTable? = nil, specialRegisters: kvm_sregs? = nil, registers: kvm_regs? = nil
    ) {
        self.id = id
        self.cpuid = cpuid
        self.specialRegisters = specialRegisters
        self.registers = registers
    }
}
