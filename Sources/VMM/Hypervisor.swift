// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Devices
import KVM
import KVMABI

/// The VM of a KVM-compatible device, for the threads of this process: its ioctls may be called on any of them.
final class Hypervisor: MessageSink, @unchecked Sendable {
    private let vm: VirtualMachine
    /// The routes that the kernel knows. Under the device lock.
    private var told: [VirtualMachine.Route] = []
    /// What CPUID can answer, and whether there is a TSC-deadline timer.
    let cpuid: CPUIDTable
    let hasDeadlineTimer: Bool
    /// Told when the device refuses what it should not.
    private let onFailure: @Sendable (String) -> Void

    init(
        device: String, slots: [MemorySlot], pins: Int, onFailure: @escaping @Sendable (String) -> Void
    ) throws(KVMError) {
        let system = try System(path: device)
        var vm = try system.makeVirtualMachine()
        // A kernel without unrestricted guest wants these two first; the guest's memory ends below them.
        try vm.setIdentityMapAddress(GuestAddress(0xFFFB_C000))
        try vm.setTSSAddress(GuestAddress(0xFFFB_D000))
        try vm.splitInterruptController(pins: pins)
        for slot in slots { try vm.add(slot) }
        cpuid = try system.supportedCPUID()
        hasDeadlineTimer = try system.check(.tscDeadlineTimer) > 0
        self.vm = vm
        self.onFailure = onFailure
    }

    func makeVCPU(_ id: UInt32) throws(KVMError) -> VCPU { try vm.makeVCPU(id: id) }

    func send(address: UInt64, data: UInt32) {
        do throws(KVMError) {
            // That no vCPU takes it is the guest's affair.
            try vm.signal(address: address, data: data)
        } catch {
            onFailure("\(error)")
        }
    }

    /// The kernel tells of the ends of an I/O APIC's interrupts by these: of those alone that are levels, so it need not know of others.
    func setRoutes(_ routes: [IOAPIC.Route]) {
        let levels = routes.filter { $0.isLevel && !$0.isMasked }.map {
            VirtualMachine.Route(gsi: $0.gsi, address: $0.address, data: $0.data)
        }
        guard levels != told else { return }
        told = levels
        do throws(KVMError) {
            try vm.setRoutes(levels)
        } catch {
            onFailure("\(error)")
        }
    }
}
