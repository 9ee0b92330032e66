// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import Emulation
import KVM

/// KVM_RUN again and again, and what the test machine does about each exit.
struct RunLoop {
    private(set) var ports = Ports()
    private(set) var exits: [ExitRecord] = []
    /// KVM_RUNs that came back without an exit.
    private(set) var otherRuns: [TickSpan] = []
    private let limit: Int
    private let deadline: UInt64
    private let progress: (Int) -> Void
    private var nextProgress: UInt64
    /// The guest's; a move gives it another.
    var memory: [MemorySlot]
    private lazy var finisher = InstructionFinisher()

    init(_ guest: Guest, memory: [MemorySlot], progress: @escaping (Int) -> Void) {
        let now = Host.nanoseconds
        self.memory = memory
        limit = guest.exitLimit
        deadline = now &+ UInt64(max(guest.timeout, 0) * 1e9)
        self.progress = progress
        nextProgress = now &+ 1_000_000_000
    }

    mutating func run(_ vcpu: borrowing VCPU) -> Outcome.End {
        do throws(KVMError) {
            while true {
                if let end = try next(vcpu) {
                    try finishPending(vcpu)
                    return end
                }
            }
        } catch {
            return .error(error)
        }
    }

    /// Runs to the next exit and sees to it; the end of the run if it is one.
    mutating func next(_ vcpu: borrowing VCPU) throws(KVMError) -> Outcome.End? {
        while exits.count < limit {
            if let vector = ports.interrupts.first, vcpu.runPage.isReadyForInterrupt {
                try vcpu.interrupt(vector: vector)
                ports.interrupts.removeFirst()
            }
            vcpu.runPage.setRequestInterruptWindow(!ports.interrupts.isEmpty)

            let (result, ticks, time) = try vcpu.timedRun()
            if result == .interrupted {
                otherRuns.append(time)
                if Host.nanoseconds >= deadline { return .timeout }
                // Somebody else's signal: go on. Should it have been the kick, there's another in 20 ms.
                vcpu.runPage.setImmediateExit(false)
                continue
            }
            let end = try handle(vcpu.runPage.exit, ticks, time, vcpu)
            if end == nil { showProgress() }
            return end
        }
        return .exitLimit
    }

    /// Finishes what the last exit began, without entering the guest; the end of the run if that takes another exit which is one.
    mutating func settle(_ vcpu: borrowing VCPU) throws(KVMError) -> Outcome.End? {
        while true {
            let (result, ticks, time) = try vcpu.finishExit()
            guard result == .exit else {
                otherRuns.append(time)
                return nil
            }
            if let end = try handle(vcpu.runPage.exit, ticks, time, vcpu) { return end }
        }
    }

    /// What to do about an exit; the end of the run if it is one.
    private mutating func handle(
        _ exit: Exit, _ ticks: UInt64, _ time: TickSpan, _ vcpu: borrowing VCPU
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
        // The test machine has no MSRs of its own.
        case .readMSR, .writeMSR: vcpu.runPage.refuseMSR()
        case .hlt:
            // Only an interrupt ends a halt, and only with RFLAGS.IF set.
            if ports.interrupts.isEmpty || !vcpu.runPage.interruptFlag { end = .hlt }
        case .irqWindowOpen, .setTPR: break
        case .shutdown: end = .shutdown
        case .failEntry: end = .failEntry
        case .internalError(suberror: UInt32(KVM_INTERNAL_ERROR_EMULATION), data: _):
            if try finishInstruction(vcpu, ticks) { return nil }
            end = .internalError
        case .internalError: end = .internalError
        default: end = .other(exit.shortName)
        }
        exits.append(ExitRecord(exit, data: data, ticks: ticks, time: time))
        return end
    }

    /// Executes the instruction that the device has left to user space (KVM_INTERNAL_ERROR_EMULATION). What it loads and
    /// stores is recorded like exits of a device that emulates it itself; false where it can't be finished here either.
    private mutating func finishInstruction(_ vcpu: borrowing VCPU, _ ticks: UInt64) throws(KVMError) -> Bool {
        let device = RecordingDevice(ticks: ticks)
        let result = try finisher.finish(vcpu, memory: memory, device: device)
        exits += device.records
        return result == .finished
    }

    /// Port I/O and loads take effect in the next KVM_RUN, which immediate_exit keeps from entering the guest.
    private mutating func finishPending(_ vcpu: borrowing VCPU) throws(KVMError) {
        switch exits.last?.payload {
        case .io, .mmio, .msr: break
        default: return
        }
        vcpu.runPage.setImmediateExit(true)
        otherRuns.append(try vcpu.timedRun().time)
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

/// The test machine's MMIO for instructions that are finished in user space.
private final class RecordingDevice: MMIODevice {
    private(set) var records: [ExitRecord] = []
    /// The exit's cost is the first access's.
    private var ticks: UInt64

    init(ticks: UInt64) { self.ticks = ticks }

    func load(_ address: GuestAddress, count: Int) -> [UInt8] {
        let data = Ports.load(address.rawValue, count: count)
        record(MMIO(address: address, count: count, stored: nil), data)
        return data
    }

    func store(_ address: GuestAddress, _ bytes: [UInt8]) {
        record(MMIO(address: address, count: bytes.count, stored: bytes), bytes)
    }

    private func record(_ mmio: MMIO, _ data: [UInt8]) {
        records.append(ExitRecord(.mmio(mmio), data: data, ticks: ticks))
        ticks = 0
    }
}

extension Exit {
    /// KVM's name without KVM_EXIT_, in lower case.
    var shortName: String { name.replacing("KVM_EXIT_", with: "").lowercased() }
}
