// SPDX-License-Identifier: MIT OR GPL-2.0-only
import VMXSim

/// A machine's memory as a dictionary of quadwords; what was never written reads as zero.
package final class TestMemory: PhysicalMemory {
    package var words: [UInt64: UInt64]
    /// Addresses in the order they were read and written.
    package private(set) var loads: [UInt64] = []
    package private(set) var stores: [UInt64] = []

    package init(_ words: [UInt64: UInt64] = [:]) { self.words = words }

    package func load(_ physical: UInt64) -> UInt64 {
        loads.append(physical)
        return words[physical] ?? 0
    }

    package func store(_ physical: UInt64, _ value: UInt64) {
        stores.append(physical)
        words[physical] = value
    }

    @discardableResult
    package func set(_ physical: UInt64, bits: UInt64) -> UInt64 {
        stores.append(physical)
        let old = words[physical] ?? 0
        words[physical] = old | bits
        return old
    }

    package func forgetLog() {
        loads = []
        stores = []
    }
}

/// MSRs that all exist but for one.
package struct TestMSRs: MSRFile {
    package var values: [UInt32: UInt64]
    package var missing: UInt32?

    package init(values: [UInt32: UInt64] = [:], missing: UInt32? = nil) {
        self.values = values
        self.missing = missing
    }

    package mutating func read(_ index: UInt32) -> UInt64? { index == missing ? nil : values[index] ?? 0 }
    package mutating func write(_ index: UInt32, _ value: UInt64) -> Bool {
        if index == missing { return false }
        values[index] = value
        return true
    }
}
