// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CLikexHW
import Glibc
import KVM
import VMXSim

extension SimulatedVM {
    /// Its extended page tables now, read by the walker that the module's debugfs file is read with.
    func pageTables() -> EPTSnapshot {
        var entries: [EPTEntry] = []
        var cursor = lkx_ept_first()
        var record = lkx_ept_record()
        while true {
            // Others may have the lock between two records, as in the kernel.
            unsafe plat_spin_lock(machine.hw, &core.pointee.ept.lock)
            let isRecord = unsafe lkx_ept_next(core, &cursor, &record)
            unsafe plat_spin_unlock(machine.hw, &core.pointee.ept.lock)
            guard isRecord else { break }
            entries.append(
                EPTEntry(
                    level: Int(record.level), address: GuestAddress(record.gpa), count: Int(record.count),
                    bits: record.bits, isLeaf: record.leaf))
        }
        return EPTSnapshot(
            id: id, process: getpid(), frames: unsafe core.pointee.ept.max_gfn + 1,
            tables: unsafe core.pointee.ept.tables,
            hasAccessDirty: EPTPointer(rawValue: unsafe core.pointee.ept.eptp).usesAccessedDirty,
            entries: entries)
    }
}
