// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// The least that can be called a VM: 64 KiB of memory at the top of 4 GiB, where a processor begins after reset, with HLT there. So
/// no register has to be set, and one page is touched.
struct TinyVM: ~Copyable {
    /// How it comes into being.
    enum Way {
        /// By KVM's own ioctls.
        case steps
        /// By LIKEX_CREATE.
        case atOnce
    }

    private let machine: NewMachine

    /// SDM vol. 3, "First Instruction Executed".
    private static let resetVector = GuestAddress(0xFFFF_FFF0)
    private static let hlt: UInt8 = 0xF4

    /// Memory for any number of such VMs: none of them changes it.
    static func memory() throws(KVMError) -> MemorySlot {
        let memory = try MemorySlot(slot: 0, base: GuestAddress(0xFFFF_0000), count: 0x10000)
        _ = memory.write([hlt], at: resetVector)
        return memory
    }

    init(on system: borrowing System, memory: MemorySlot, _ way: Way = .steps) throws(KVMError) {
        switch way {
        case .steps:
            var vm = try system.makeVirtualMachine()
            try vm.add(memory)
            let vcpu = try vm.makeVCPU()
            machine = NewMachine(vm: vm, vcpu: vcpu)
        case .atOnce: machine = try system.makeMachine(memory: [memory])
        }
    }

    /// To its HLT.
    func run() throws(KVMError) {
        while try machine.vcpu.run().result == .interrupted {}
        guard machine.vcpu.runPage.exit == .hlt else {
            throw KVMError(runPage: "a VM that halts at once left for \(machine.vcpu.runPage.exit)")
        }
    }
}

/// An array can't hold what can't be copied.
final class IdleVM {
    private let vm: TinyVM

    /// A VM that has run once, and waits.
    init(on system: borrowing System, memory: MemorySlot) throws(KVMError) {
        vm = try TinyVM(on: system, memory: memory)
        try vm.run()
    }
}
