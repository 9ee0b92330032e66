// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// A VM's life: created, run to its first exit, destroyed.
struct LifeCycleBench {
    let device: BenchDevice
    let rounds: Int

    /// - Parameter idle: how many other VMs there are.
    func lives(idle: Int) throws(KVMError) -> [Measurement] {
        let suffix = idle == 0 ? "" : "-\(idle)"
        let with = idle == 0 ? "" : ", \(idle) idle VMs"
        return try lives(
            .steps,
            [
                ("create" + suffix, "open, create VM, 64 KiB slot, vCPU, mmap" + with),
                ("first-exit" + suffix, "first run to HLT" + with), ("destroy" + suffix, "unmap and close all" + with),
                ("life" + suffix, "the three together" + with),
            ])
    }

    /// The same with the VM made by one call.
    func livesAtOnce() throws(KVMError) -> [Measurement] {
        let rows = [
            ("create-once", "open, VM, slot and vCPU by one call, mmap"), ("first-exit-once", "first run to HLT, made by one call"),
            ("destroy-once", "unmap and close all, made by one call"), ("life-once", "the three together, made by one call"),
        ]
        guard try device.open().makesMachinesAtOnce() else {
            return rows.map { Measurement($0.0, $0.1, .ticks, unsupported: "the device has no such call") }
        }
        return try lives(.atOnce, rows)
    }

    private func lives(_ way: TinyVM.Way, _ rows: [(name: String, title: String)]) throws(KVMError) -> [Measurement] {
        var parts: [[UInt64]] = [[], [], [], []]
        // The first fills caches that stay.
        _ = try life(way)
        for _ in 0..<rounds {
            let times = try life(way)
            for part in 0..<3 { parts[part].append(times[part + 1] - times[part]) }
            parts[3].append(times[3] - times[0])
        }
        var figures = zip(rows, parts.dropLast()).map { row, samples in Measurement(row.name, row.title, .ticks, samples) }
        // The host's timer falls into nearly half of the whole lives, whose median would tell of it by chance; into the parts less often.
        let together = figures.compactMap(\.value).reduce(0, +)
        figures.append(Measurement(rows[3].name, rows[3].title, .ticks, parts[3].map { Double($0) }, value: together))
        return figures
    }

    /// When it began, was made, had run, was gone.
    private func life(_ way: TinyVM.Way) throws(KVMError) -> [UInt64] {
        let begin = Host.ticks
        var made: UInt64 = 0
        var ran: UInt64 = 0
        try live(way, &made, &ran)
        return [begin, made, ran, Host.ticks]
    }

    @inline(never)
    private func live(_ way: TinyVM.Way, _ made: inout UInt64, _ ran: inout UInt64) throws(KVMError) {
        let system = try device.open()
        let memory = try TinyVM.memory()
        let vm = try TinyVM(on: system, memory: memory, way)
        made = Host.ticks
        try vm.run()
        ran = Host.ticks
    }
}
