// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// RAM from address 0, and a refusal of everything else.
@safe final class RefusingMemory: Bus {
    let ram: FlatMemory
    init(size: Int) { ram = FlatMemory(size: size) }

    func page(_ request: PageRequest) -> PageAnswer {
        if case .memory(let host, let allowed) = ram.page(request) {
            return unsafe .memory(host: host, allowed: allowed)
        }
        return .refused
    }
    func readDevice(_ physical: UInt64, size: Int) -> UInt64? { nil }
    func writeDevice(_ physical: UInt64, size: Int, value: UInt64) -> Bool { false }
    func readPort(_ port: UInt16, size: Int) -> UInt32? { nil }
    func writePort(_ port: UInt16, size: Int, value: UInt32) -> Bool { false }
    func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult { CPUIDResult() }
    func readMSR(_ index: UInt32) -> UInt64? { nil }
    func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool { false }
    func timeStampCounter() -> UInt64 { 0 }
}
