// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// KVM_RUN again and again, and what the test machine does about each exit.
struct RunLoop {
    private(set) var ports = Ports()
    private(set) var exits: [ExitRecord] = []
    private let limit: Int
    private let deadline: UInt64
    private let progress: (Int) -> Void
    private var nextProgress: UInt64

    init(_ guest: Guest, progress: @escaping (Int) -> Void) {
        let now = Host.nanoseconds
        limit = guest.exitLimit
        deadline = now &+ UInt64(max(guest.timeout, 0) * 1e9)
        self.progress = progress
        nextProgress = now &+ 1_000_000_000
    }

    mutating func run(_ vcpu: borrowing VCPU) -> Outcome.End {
        do throws(KVMError) {
            let end = try loop(vcpu)
            try finishPending(vcpu)
            return end
        } catch {
            return .error(error)
        }
    }

    private mutating func loop(_ vcpu: borrowing VCPU) throws(KVMError) -> Outcome.End {
        while exits.count < limit {
            if let vector = ports.interrupts.first, vcpu.runPage.isReadyForInterrupt {
                try vcpu.interrupt(vector: vector)
                ports.interrupts.removeFirst()
            }
            vcpu.runPage.setRequestInterruptWindow(!ports.interrupts.isEmpty)

            let (result, ticks) = try vcpu.run()
            if result == .interrupted {
                if Host.nanoseconds >= deadline { return .timeout }
                // Somebody else's signal: go on. Should it have been the kick, there's another in 20 ms.
                vcpu.runPage.setImmediateExit(false)
                continue
            }
            if let end = try handle(vcpu.runPage.exit, ticks, vcpu) { return end }
            showProgress()
        }
        return .exitLimit
    }

    /// What to do about an exit; the end of the run if it is one.
    private mutating func handle(
        _ exit: Exit, _ ticks: UInt64, _ vcpu: borrowing VCPU
    ) throws(KVMError) -> Outcome.End? {
        var data: [UInt8] = []
        var end: Outcome.End?
        switch exit {
        case .io(let io):
            switch io.direction {
            case .input:
                data = ports.read(io.port, count: io.byteCount)
                try vcpu.runPage.answer(io, data)
            case .output:
                data = try vcpu.runPage.output(io)
                switch ports.write(io.port, data, size: io.size) {
                case .none: break
                case .end(let status): end = .status(status)
                case .nmi: try vcpu.nmi()
                }
            }
        case .mmio(let mmio):
            if let stored = mmio.stored {
                data = stored
            } else {
                data = Ports.load(mmio.address.rawValue, count: mmio.count)
                vcpu.runPage.answer(mmio, data)
            }
        case .hlt:
            // Only an interrupt ends a halt, and only with RFLAGS.IF set.
            if ports.interrupts.isEmpty || !vcpu.runPage.interruptFlag { end = .hlt }
        case .irqWindowOpen, .setTPR: break
        case .shutdown: end = .shutdown
        case .failEntry: end = .failEntry
        case .internalError: end = .internalError
        default: end = .other(exit.shortName)
        }
        exits.append(ExitRecord(exit, data: data, ticks: ticks))
        return end
    }

    /// Port I/O and loads take effect in the next KVM_RUN, which immediate_exit keeps from entering the guest.
    private func finishPending(_ vcpu: borrowing VCPU) throws(KVMError) {
        switch exits.last?.payload {
        case .io, .mmio: break
        default: return
        }
        vcpu.runPage.setImmediateExit(true)
        _ = try vcpu.run()
        vcpu.runPage.setImmediateExit(false)
    }

    private mutating func showProgress() {
        // The clock is looked at every 64 exits: it isn't part of what is measured, but it adds up.
        guard exits.count % 64 == 0 else { return }
        let now = Host.nanoseconds
        guard now >= nextProgress else { return }
        nextProgress = now &+ 1_000_000_000
        progress(exits.count)
    }
}

extension Exit {
    /// KVM's name without KVM_EXIT_, in lower case.
    var shortName: String { name.replacing("KVM_EXIT_", with: "").lowercased() }
}
