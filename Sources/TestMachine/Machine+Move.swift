// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

extension Machine {
    /// Runs the guest to its end, and at each of its exits stops it whole, with what the exit began finished, and moves it to a new VM: all of its
    /// vCPU's state, its memory and its clock are taken out, a VM and a vCPU are made, everything is put in there, the old ones are gone.
    ///
    /// What comes of it must be what comes of the same without moves. (What comes of `run` can differ in windows for interrupts: an OUT under
    /// STI's shadow is over, and the shadow with it, when the guest is stopped whole.)
    ///
    /// - Parameters:
    ///   - moves: false for stopping it without moving it.
    ///   - progress: as in `run`.
    public mutating func run(
        stoppingOn system: borrowing System, moves: Bool, progress: @escaping (Int) -> Void = { _ in }
    ) throws(MachineError) -> Outcome {
        var outcome = Outcome()
        let deadline = Host.nanoseconds &+ UInt64(max(guest.timeout, 0) * 1e9)
        do throws(KVMError) {
            let layout = try StateLayout(of: system)
            try vm.prepare(for: layout)
            var loop = RunLoop(guest, memory: vm.slots, progress: progress)
            outcome.end = try runStopping(&loop, system, moves ? layout : nil, deadline)
            vcpu.disarmKick()
            try finish(&outcome, loop)
        } catch {
            throw .device(path: path, error)
        }
        return outcome
    }

    /// - Parameter layout: nil where it isn't moved.
    private mutating func runStopping(
        _ loop: inout RunLoop, _ system: borrowing System, _ layout: StateLayout?, _ deadline: UInt64
    ) throws(KVMError) -> Outcome.End {
        while true {
            let now = Host.nanoseconds
            try vcpu.armKick(milliseconds: deadline > now ? (deadline - now) / 1_000_000 + 1 : 1)
            var end = try loop.next(vcpu)
            vcpu.disarmKick()
            vcpu.runPage.setImmediateExit(false)
            if end == nil || end?.isWhole == true { end = try loop.settle(vcpu) ?? end }
            if let end, !end.isWhole { return end }
            if let layout {
                try move(to: system, layout)
                loop.memory = vm.slots
            }
            if let end { return end }
        }
    }

    /// To a new VM of the same device; the old one is gone afterwards.
    private mutating func move(to system: borrowing System, _ layout: StateLayout) throws(KVMError) {
        let state = try vcpu.save(layout)
        let clock = try vm.clock()
        var target = try system.makeVirtualMachine()
        try target.prepare(for: layout)
        for slot in vm.slots { try target.add(try slot.copy()) }
        try target.setClock(clock)
        let loaded = try target.makeVCPU()
        try loaded.load(state)
        vcpu = loaded
        vm = target
    }
}

extension Outcome.End {
    /// Whether the guest could go on from there: others leave a state that no device takes, or that nobody wants to go on from.
    fileprivate var isWhole: Bool {
        switch self {
        case .hlt, .status: true
        default: false
        }
    }
}
