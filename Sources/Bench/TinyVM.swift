// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// The least that can be called a VM: 64 KiB of memory at the top of 4 GiB, where a processor begins after reset, with HLT there. So
/// no register has to be set, and one page is touched.
struct TinyVM: ~Copyable {
    private let vm: VirtualMachine
    private let vcpu: VCPU

    /// SDM vol. 3, "First Instruction Executed".
    private static let resetVector = GuestAddress(0xFFFF_FFF0)
    private static let hlt: UInt8 = 0xF4

    /// Memory for any number of such VMs: none of them changes it.
    static func memory() throws(KVMError) -> MemorySlot {
        let memory = try MemorySlot(slot: 0, base: GuestAddress(0xFFFF_0000), count: 0x10000)
        _ = memory.write([hlt], at: resetVector)
        return memory
    }

    init(on system: borrowing System, memory: MemorySlot) throws(KVMError) {
        var vm = try system.makeVirtualMachine()
        try vm.add(memory)
        let vcpu = try vm.makeVCPU()
        self.vm = vm
        self.vcpu = vcpu
    }

    /// To its HLT.
    func run() throws(KVMError) {
        while try vcpu.run().result == .interrupted {}
        guard vcpu.runPage.exit == .hlt else {
            throw KVMError(runPage: "a VM that halts at once left for \(vcpu.runPage.exit)")
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
