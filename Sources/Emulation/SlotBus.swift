// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import X86

/// What an instruction that is finished in user space sees: the guest's memory slots, and a device everywhere else.
///
/// Ports, CPUID and MSRs are the kernel's: the finisher takes no instruction that uses them.
final class SlotBus: MemoryBus {
    var slots: [MemorySlot] = []
    var device: (any MMIODevice)?

    func page(_ request: PageRequest) -> PageAnswer {
        let page = GuestAddress(request.physical & ~0xFFF)
        if let slot = slots.first(where: { $0.contains(page, 4096) }),
            !(slot.isReadOnly && request.access == .write)
        {
            let host = UInt(slot.host.rawValue) + UInt(page.rawValue - slot.base.rawValue)
            if let host = unsafe UnsafeMutableRawPointer(bitPattern: host) {
                // The first write comes here again: a read-only slot's is a device's.
                return unsafe .memory(host: host, allowed: slot.isReadOnly ? [.read, .execute] : .all)
            }
        }
        // Neither code nor page tables are taken from a device.
        return request.access == .execute || request.isTableWalk ? .refused : .device
    }

    func readDevice(_ physical: UInt64, size: Int) -> UInt64? {
        let address = GuestAddress(physical)
        // The load of an instruction that will store to a read-only slot is memory's.
        let bytes = slots.lazy.compactMap { $0.read(at: address, count: size) }.first ?? device?.load(address, count: size)
        guard let bytes, bytes.count == size else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    func writeDevice(_ physical: UInt64, size: Int, value: UInt64) -> Bool {
        guard let device else { return false }
        device.store(
            GuestAddress(physical), (0..<UInt64(size)).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
        return true
    }
}
