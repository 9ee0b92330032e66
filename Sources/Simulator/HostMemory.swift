// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexHW
import VMXSim

/// The machine's physical memory: this process's own, each address its own physical address, as user space's plat.h has it.
final class HostMemory: PhysicalMemory {
    @unsafe private func word(_ physical: UInt64) -> UnsafeMutablePointer<UInt64>? {
        unsafe UnsafeMutablePointer(bitPattern: UInt(physical & ~7))
    }

    func load(_ physical: UInt64) -> UInt64 {
        guard let word = unsafe word(physical) else { return .max }
        return unsafe plat_load64(word)
    }

    func store(_ physical: UInt64, _ value: UInt64) {
        guard let word = unsafe word(physical) else { return }
        unsafe plat_store64(word, value)
    }

    @discardableResult
    func set(_ physical: UInt64, bits: UInt64) -> UInt64 {
        guard let word = unsafe word(physical) else { return .max }
        var old = unsafe plat_load64(word)
        while true {
            // Tables change under a processor that walks them: only what was read may be added to.
            let seen = unsafe plat_cmpxchg64(word, old, old | bits)
            if seen == old { return old }
            old = seen
        }
    }
}
