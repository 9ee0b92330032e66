// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A bus of memory alone: no instruction that asks for a port, CPUID, an MSR or the time is meant to come here. Device memory refuses
/// unless the bus has some.
public protocol MemoryBus: Bus {}

extension MemoryBus {
    public func readDevice(_ physical: UInt64, size: Int) -> UInt64? { nil }
    public func writeDevice(_ physical: UInt64, size: Int, value: UInt64) -> Bool { false }
    public func readPort(_ port: UInt16, size: Int) -> UInt32? { nil }
    public func writePort(_ port: UInt16, size: Int, value: UInt32) -> Bool { false }
    public func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult { CPUIDResult() }
    public func readMSR(_ index: UInt32) -> UInt64? { nil }
    public func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool { false }
    public func timeStampCounter() -> UInt64 { 0 }
}
