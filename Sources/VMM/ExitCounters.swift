// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON
import KVM
import Synchronization

/// How often a processor has left its guest, by reason. Its thread counts, any thread reads.
final class ExitCounters: Sendable {
    private let portRead = Atomic<UInt64>(0)
    private let portWrite = Atomic<UInt64>(0)
    private let mmioRead = Atomic<UInt64>(0)
    private let mmioWrite = Atomic<UInt64>(0)
    private let endOfInterrupt = Atomic<UInt64>(0)
    /// An instruction that the kernel side doesn't do.
    private let emulation = Atomic<UInt64>(0)
    /// KVM_RUN came back for a signal, or for this program's sake.
    private let interrupted = Atomic<UInt64>(0)
    private let other = Atomic<UInt64>(0)

    func count(_ exit: Exit) {
        switch exit {
        case .io(let io) where io.direction == .input: add(portRead)
        case .io: add(portWrite)
        case .mmio(let mmio) where mmio.stored == nil: add(mmioRead)
        case .mmio: add(mmioWrite)
        case .endOfInterrupt: add(endOfInterrupt)
        case .internalError: add(emulation)
        case .intr: add(interrupted)
        default: add(other)
        }
    }

    func countInterrupted() { add(interrupted) }

    private func add(_ counter: borrowing Atomic<UInt64>) { counter.wrappingAdd(1, ordering: .relaxed) }

    var json: JSON {
        func value(_ counter: borrowing Atomic<UInt64>) -> JSON { JSON(counter.load(ordering: .relaxed)) }
        return [
            "portRead": value(portRead), "portWrite": value(portWrite), "mmioRead": value(mmioRead), "mmioWrite": value(mmioWrite),
            "endOfInterrupt": value(endOfInterrupt), "emulation": value(emulation), "interrupted": value(interrupted), "other": value(other),
        ]
    }
}
