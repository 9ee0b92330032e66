// SPDX-License-Identifier: MIT OR GPL-2.0-only
import VMXSim

/// A machine's memory as a dictionary of quadwords; what was never written reads as zero.
final class TestMemory: PhysicalMemory {
    var words: [UInt64: UInt64]
    /// Addresses in the order they were read and written.
    private(set) var loads: [UInt64] = []
    private(set) var stores: [UInt64] = []

    init(_ words: [UInt64: UInt64] = [:]) { self.words = words }

    func load(_ physical: UInt64) -> UInt64 {
        loads.append(physical)
        return words[physical] ?? 0
    }

    func store(_ physical: UInt64, _ value: UInt64) {
        stores.append(physical)
        words[physical] = value
    }

    func set(_ physical: UInt64, bits: UInt64) {
        stores.append(physical)
        words[physical, default: 0] |= bits
    }

    func forgetLog() {
        loads = []
        stores = []
    }
}

/// MSRs that all exist but for one.
struct TestMSRs: MSRFile {
    var values: [UInt32: UInt64] = [:]
    var missing: UInt32?

    mutating func read(_ index: UInt32) -> UInt64? { index == missing ? nil : values[index] ?? 0 }
    mutating func write(_ index: UInt32, _ value: UInt64) -> Bool {
        if index == missing { return false }
        values[index] = value
        return true
    }
}
