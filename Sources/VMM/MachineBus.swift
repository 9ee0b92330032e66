// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Devices
import Emulation
import KVM

/// All of a machine's devices, and the lock that each of them is used under: they are state without threads of their own.
final class MachineBus: MMIODevice, @unchecked Sendable {
    let lock = Lock()
    /// Both fixed before the first processor runs.
    var ports = AddressRanges()
    var memory = AddressRanges()
    var ioapic: IOAPIC?

    func readPort(_ port: UInt16, size: Int) -> UInt64 { lock.withLock { ports.read(UInt64(port), size: size) } }

    func writePort(_ port: UInt16, size: Int, value: UInt64) {
        lock.withLock { ports.write(UInt64(port), size: size, value: value) }
    }

    func load(_ address: GuestAddress, count: Int) -> [UInt8] {
        let value = lock.withLock { memory.read(address.rawValue, size: count) }
        var bytes: [UInt8] = []
        Processor.append(value, count, to: &bytes)
        return bytes
    }

    func store(_ address: GuestAddress, _ bytes: [UInt8]) {
        lock.withLock { memory.write(address.rawValue, size: bytes.count, value: Processor.integer(bytes[...])) }
    }

    func endOfInterrupt(_ vector: UInt8) { lock.withLock { ioapic?.endOfInterrupt(vector: vector) } }
}
