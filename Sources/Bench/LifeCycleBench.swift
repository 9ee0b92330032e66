// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// A VM's life: created, run to its first exit, destroyed.
struct LifeCycleBench {
    let device: BenchDevice
    let rounds: Int

    /// - Parameter idle: how many other VMs there are.
    func lives(idle: Int) throws(KVMError) -> [Measurement] {
        var parts: [[UInt64]] = [[], [], [], []]
        // The first fills caches that stay.
        _ = try life()
        for _ in 0..<rounds {
            let times = try life()
            for part in 0..<3 { parts[part].append(times[part + 1] - times[part]) }
            parts[3].append(times[3] - times[0])
        }
        let suffix = idle == 0 ? "" : "-\(idle)"
        let with = idle == 0 ? "" : ", \(idle) idle VMs"
        let names = [
            ("create", "open, create VM, 64 KiB slot, vCPU, mmap"), ("first-exit", "first run to HLT"),
            ("destroy", "unmap and close all"), ("life", "the three together"),
        ]
        return zip(names, parts).map { name, samples in
            Measurement(name.0 + suffix, name.1 + with, .ticks, samples)
        }
    }

    /// When it began, was made, had run, was gone.
    private func life() throws(KVMError) -> [UInt64] {
        let begin = Host.ticks
        var made: UInt64 = 0
        var ran: UInt64 = 0
        try live(&made, &ran)
        return [begin, made, ran, Host.ticks]
    }

    @inline(never)
    private func live(_ made: inout UInt64, _ ran: inout UInt64) throws(KVMError) {
        let system = try device.open()
        let memory = try TinyVM.memory()
        let vm = try TinyVM(on: system, memory: memory)
        made = Host.ticks
        try vm.run()
        ran = Host.ticks
    }
}
