// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// Adding a slot to a VM that runs, and taking it away.
struct SlotBench {
    let device: BenchDevice
    let rounds: Int

    func slots() throws(KVMError) -> [Measurement] {
        var vm = try FlatVM(.output, on: device)
        _ = try vm.run(to: .output)
        let memory = try MemorySlot(slot: 1, base: GuestAddress(0x100_0000), count: 0x10000)
        var added: [UInt64] = []
        var removed: [UInt64] = []
        for _ in 0..<rounds {
            let begin = Host.ticks
            try vm.vm.add(memory)
            let middle = Host.ticks
            try vm.vm.remove(memory)
            removed.append(Host.ticks - middle)
            added.append(middle - begin)
        }
        return [
            Measurement("slot-add", "adding a slot", .ticks, added),
            Measurement("slot-delete", "deleting it", .ticks, removed),
        ]
    }
}
