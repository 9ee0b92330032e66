// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import KVM

/// What many idle VMs weigh, and what others cost beside them.
struct IdleBench {
    let device: BenchDevice
    let host: BenchHost
    let rounds: Int
    /// How many, ascending.
    let counts: [Int]

    /// What was there before some VMs were made.
    private struct Before {
        let memory: MemoryUse
        let files: Int
    }

    /// - Parameter progress: called with what is done now.
    func measure(progress: (String) -> Void) throws(KVMError) -> [Measurement] {
        let system = try device.open()
        let memory = try TinyVM.memory()
        var idle: [IdleVM] = []
        idle.reserveCapacity(counts.last ?? 0)
        var weight = Self.weight(nil, "there are no figures")
        var result: [Measurement] = []
        // The first makes caches that stay.
        _ = try IdleVM(on: system, memory: memory)
        for count in counts {
            progress("making \(count) idle VMs")
            let before = look()
            let old = idle.count
            while idle.count < count { idle.append(try IdleVM(on: system, memory: memory)) }
            // The most VMs give the best mean: it replaces the one of fewer.
            weight = weigh(before, look(), idle.count - old)
            progress("life cycle and exit with \(count) idle VMs")
            result += try LifeCycleBench(device: device, rounds: rounds).lives(idle: count)
            result.append(
                try ExitBench(device: device, rounds: rounds).userExit(
                    "exit-io-\(count)", "exit to user space: OUT, \(count) idle VMs", .output, .output))
        }
        if let most = counts.last { progress("destroying \(most) idle VMs") }
        return weight + result
    }

    private static let settling: UInt32 = 1_000_000

    private func look() -> Before? {
        // What others have given back is free when grace periods have passed.
        if !device.isSimulated { usleep(Self.settling) }
        guard let memory = host.memoryUse(), let files = host.openFiles() else { return nil }
        return Before(memory: memory, files: files)
    }

    private func weigh(_ before: Before?, _ after: Before?, _ count: Int) -> [Measurement] {
        guard !device.isSimulated else { return Self.weight(nil, "no kernel has the simulator's VMs") }
        guard let before, let after, count > 0 else { return Self.weight(nil, "/proc tells nothing of memory") }
        func each(_ total: Int) -> Double { Double(total) / Double(count) }
        func growth(_ field: String) -> Int { after.memory.growth(field, since: before.memory) }
        let user = growth("AnonPages")
        return Self.weight(
            [
                each(after.memory.used(since: before.memory) - user), each(growth("Slab")), each(growth("VmallocUsed")),
                each(growth("KernelStack")), each(growth("PageTables")),
                each(after.memory.threads - before.memory.threads),
                each(after.files - before.files),
            ], "")
    }

    /// - Parameter values: in the order of the rows; nil where there are none, for a reason.
    private static func weight(_ values: [Double]?, _ reason: String) -> [Measurement] {
        let rows: [(String, String, Measurement.Unit)] = [
            ("memory", "kernel memory of a VM with one page", .kibibytes), ("memory-slab", "of that, slab", .kibibytes),
            ("memory-vmalloc", "of that, vmalloc", .kibibytes), ("memory-stack", "of that, kernel stacks", .kibibytes),
            ("memory-tables", "page tables of the host", .kibibytes), ("threads", "kernel threads", .count),
            ("files", "open files, but for the device's", .count),
        ]
        return rows.enumerated().map { index, row in
            guard let values else { return Measurement(row.0, row.1, row.2, unsupported: reason) }
            return Measurement(row.0, row.1, row.2, [values[index]])
        }
    }
}
