// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM

/// What it costs that a guest touches a page which its EPT doesn't map yet and the host has.
struct FaultBench {
    let device: BenchDevice
    let rounds: Int

    private static let base = GuestAddress(0x100_0000)
    /// Far enough from each other that a fault of one doesn't map the next, if the device maps the pages around it, too; near enough
    /// that few need a page table of their own.
    private static let far = 0x1_0000
    private static let farTouches = 64
    /// All pages of 2 MiB: one page table.
    private static let nearTouches = 512

    /// A large page, and how many of them are touched.
    private static let large = 0x20_0000
    private static let largeTouches = 16

    func faults() throws(KVMError) -> [Measurement] {
        [
            Measurement(
                "ept-4k", "EPT fault, 4 KiB, a store far from others", .ticks,
                try touches(Self.farTouches, apart: Self.far, .store).flatMap { $0 }),
            Measurement(
                "ept-4k-load", "EPT fault, 4 KiB, a load far from others", .ticks,
                try touches(Self.farTouches, apart: Self.far, .load).flatMap { $0 }),
            Measurement(
                "ept-4k-run", "EPT faults of 512 pages in order, a page", .ticks,
                try touches(Self.nearTouches, apart: 4096, .store).map { $0.reduce(0, +) / Double($0.count) }),
            try largeFault(),
        ]
    }

    /// The ticks of each first touch, less those of a second one; a list for each round.
    private func touches(
        _ count: Int, apart distance: Int, _ access: GuestCode.Access
    ) throws(KVMError) -> [[Double]] {
        let memory = try MemorySlot(slot: 1, base: Self.base, count: count * distance)
        memory.prefer(.small)
        memory.populate()
        var vm = try FlatVM(.touch(access), on: device)
        var result: [[Double]] = []
        for _ in 0..<max(rounds / 16, 1) {
            try vm.vm.add(memory)
            let first = try touch(vm, count, distance)
            let second = Measurement("", "", .ticks, try touch(vm, count, distance))
            result.append(first.map { Double($0) - (second.value ?? 0) })
            // Takes the mappings away.
            try vm.vm.remove(memory)
        }
        return result
    }

    /// Of a page of 2 MiB, where the host has one and the device maps it as one: then a touch in its other half costs nothing.
    private func largeFault() throws(KVMError) -> Measurement {
        let (name, title) = ("ept-2m", "EPT fault, 2 MiB")
        let memory = try MemorySlot(
            slot: 1, base: Self.base, count: Self.largeTouches * Self.large, alignment: Self.large)
        memory.prefer(.large)
        memory.populate()
        var vm = try FlatVM(.touch(.store), on: device)
        var samples: [Double] = []
        for _ in 0..<max(rounds / 16, 1) {
            try vm.vm.add(memory)
            let first = try touch(vm, Self.largeTouches, Self.large)
            let other = Measurement("", "", .ticks, try touch(vm, Self.largeTouches, Self.large, from: Self.large / 2))
            let second = Measurement("", "", .ticks, try touch(vm, Self.largeTouches, Self.large))
            let none = second.value ?? 0
            guard let half = other.value, half <= none + Self.noFault else {
                return Measurement(
                    name, title, .ticks,
                    unsupported:
                        "a touch in the other half of the 2 MiB faults, too: the device maps 4 KiB, or the host has no such page"
                )
            }
            samples += first.map { Double($0) - none }
            try vm.vm.remove(memory)
        }
        return Measurement(name, title, .ticks, samples)
    }

    /// A touch without a fault costs some instructions, one with it hundreds; on the simulator one costs nine.
    private static let noFault = 4.0

    private func touch(
        _ vm: borrowing FlatVM, _ count: Int, _ distance: Int, from offset: Int = 0
    ) throws(KVMError) -> [UInt64] {
        try vm.start {
            $0.rsi = Self.base.rawValue + UInt64(offset)
            $0.rcx = UInt64(count)
            $0.rbp = UInt64(distance)
            $0.rdi = FlatVM.results.rawValue
        }
        _ = try vm.run(to: .output)
        return vm.results(count).map { UInt64($0) }
    }
}
