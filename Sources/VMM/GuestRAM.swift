// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Boot
import CVMMSys
import Glibc
import GuestMemory
import KVM

/// A guest's RAM: a memfd for each range of it, mapped here and told to the device.
struct GuestRAM {
    let slots: [MemorySlot]
    let memory: GuestMemory

    /// - Parameter hugePages: of 2 MiB, from the host's pool of them.
    init(size: UInt64, hugePages: Bool) throws(VMMError) {
        var slots: [MemorySlot] = []
        var regions: [GuestRegion] = []
        for (index, range) in Layout.ram(size).enumerated() {
            guard let count = Int(exactly: range.upperBound - range.lowerBound) else {
                throw VMMError("\(size) bytes of memory are more than a process can have")
            }
            let file = try Descriptor.made(
                unsafe lkx_vmm_memfd("guest-ram", hugePages), by: "memfd_create of guest memory")
            guard ftruncate(file.number, count) == 0 else {
                throw VMMError("guest memory of \(count) bytes", errno: errno, "ask for less")
            }
            do throws(KVMError) {
                let slot = try MemorySlot(
                    slot: UInt32(index), base: GuestAddress(range.lowerBound), count: count, file: file.number)
                let region = unsafe slot.withHostMemory {
                    unsafe GuestRegion(gpa: range.lowerBound, count: UInt64(count), base: $0)
                }
                slots.append(slot)
                regions.append(region)
            } catch {
                let advice = hugePages ? ": are there \(count >> 21) free pages of 2 MiB in /proc/sys/vm/nr_hugepages?" : ""
                throw VMMError("\(error)\(advice)")
            }
        }
        self.slots = slots
        do throws(GuestMemoryError) { memory = try GuestMemory(regions) } catch { throw VMMError("guest memory: \(error)") }
    }
}
