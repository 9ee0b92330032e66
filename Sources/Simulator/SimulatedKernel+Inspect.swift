// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// What the module shows of itself under debugfs and tracefs.
extension SimulatedKernel {
    /// The extended page tables of every VM that a descriptor is open of, the oldest VM first.
    public func pageTables() -> [EPTSnapshot] {
        vms.map { $0.pageTables() }.sorted { $0.id < $1.id }
    }

    /// From here on what the core does for vCPUs is kept for `events`. Call it before the first VM is made.
    public func beginTrace() { machine.lock.withLock { machine.beginTrace() } }

    /// What it did since `beginTrace`, and how many events there was no room for.
    public var events: (kept: [KernelEvent], lost: Int) {
        machine.lock.withLock { (machine.trace.events, machine.trace.lost) }
    }
}
