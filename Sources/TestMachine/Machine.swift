// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM
import KVMABI

/// The test machine: one vCPU, no interrupt chip, the ports of `Ports`.
public struct Machine: ~Copyable {
    let guest: Guest
    var vm: VirtualMachine
    var vcpu: VCPU
    let path: String

    /// Makes the machine, its memory filled, the program loaded, the registers set.
    public init(
        _ guest: Guest, image: [UInt8], on system: borrowing System, _ personality: Personality = .kvm,
        cpuid: CPUIDTable
    ) throws(MachineError) {
        let path = system.path
        let slots = try Self.memory(guest, image: image)
        do throws(KVMError) {
            var vm = try system.makeVirtualMachine(personality)
            // Instructions of programs, too, are finished here where the device can't.
            if try system.check(.exitOnEmulationFailure) != 0 { try vm.enable(.exitOnEmulationFailure) }
            for slot in slots { try vm.add(slot) }
            let vcpu = try vm.makeVCPU()
            try vcpu.setCPUID(cpuid)
            var special = try vcpu.specialRegisters()
            StartState.set(&special, guest)
            try vcpu.setSpecialRegisters(special)
            try vcpu.setRegisters(StartState.registers(guest))
            self.vm = vm
            self.vcpu = vcpu
        } catch {
            throw .device(path: path, error)
        }
        self.guest = guest
        self.path = path
    }

    /// Runs the guest to its end.
    ///
    /// - Parameter progress: called with the number of exits so far, once a second or less often.
    public mutating func run(progress: @escaping (Int) -> Void = { _ in }) throws(MachineError) -> Outcome {
        var outcome = Outcome()
        do throws(KVMError) {
            try vcpu.armKick(milliseconds: UInt64(max(guest.timeout, 0) * 1000))
            var loop = RunLoop(guest, memory: vm.slots, progress: progress)
            outcome.end = loop.run(vcpu)
            vcpu.disarmKick()
            try finish(&outcome, loop)
        } catch {
            throw .device(path: path, error)
        }
        return outcome
    }

    /// What the run and the guest have come to.
    func finish(_ outcome: inout Outcome, _ loop: RunLoop) throws(KVMError) {
        outcome.output = loop.ports.output
        outcome.exits = loop.exits
        outcome.otherRuns = loop.otherRuns
        outcome.registers = try vcpu.registers()
        outcome.specialRegisters = try vcpu.specialRegisters()
        outcome.fpu = try vcpu.fpu()
        outcome.slots = vm.slots
    }
}
