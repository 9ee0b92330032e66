// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVMABI

/// A virtual machine: its memory lives as long as it does.
public struct VirtualMachine: ~Copyable {
    /// The file that ioctls go to: the VM's own, or the system's in `Personality.oneFile`.
    let file: DeviceFile
    /// The VM's own file in `Personality.oneFile`, kept open; nil when it is `file`.
    private let kept: DeviceFile?
    private let personality: Personality
    private let runPageSize: Int
    public private(set) var slots: [MemorySlot] = []

    init(
        file: consuming DeviceFile, kept: consuming DeviceFile?, personality: Personality, runPageSize: Int,
        slots: [MemorySlot] = []
    ) {
        self.file = file
        self.kept = kept
        self.personality = personality
        self.runPageSize = runPageSize
        self.slots = slots
    }

    /// Tells the device of guest memory, and keeps it. KVM_SET_USER_MEMORY_REGION
    public mutating func add(_ slot: MemorySlot) throws(KVMError) {
        var region = slot.region
        do throws(KVMError) {
            try file.call(.setUserMemoryRegion, &region)
        } catch  where personality == .oneFile && [.invalidArgument, .notATypewriter].contains(error.errno) {
            throw KVMError(
                operation: error.operation, errno: error.errno,
                meaning:
                    "unless the device is LiKeX's, it takes a VM's ioctls on the VM's own file only, not all on one")
        }
        slots.append(slot)
    }

    /// Takes a slot away from the guest; its memory goes with its last user. KVM_SET_USER_MEMORY_REGION with a size of 0
    public mutating func remove(_ slot: MemorySlot) throws(KVMError) {
        var region = kvm_userspace_memory_region()
        region.slot = slot.slot
        try file.call(.setUserMemoryRegion, &region)
        slots.removeAll { $0 === slot }
    }

    /// Where a kernel without unrestricted guest keeps three pages of its own. KVM_SET_TSS_ADDR
    public func setTSSAddress(_ address: GuestAddress) throws(KVMError) {
        try file.call(.setTssAddr, UInt(address.rawValue))
    }

    /// Makes a vCPU. KVM_CREATE_VCPU
    public func makeVCPU(id: UInt32 = 0) throws(KVMError) -> VCPU {
        let made = file.adopt(try file.call(.createVcpu, UInt(id)))
        switch personality {
        case .kvm:
            return try VCPU(id: id, file: made, kept: nil, runPageSize: runPageSize)
        case .oneFile:
            return try VCPU(id: id, file: file.duplicate(), kept: made, runPageSize: runPageSize)
        }
    }
}
