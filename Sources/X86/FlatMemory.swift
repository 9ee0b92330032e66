// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A bus of plain RAM from address 0, with nothing else on it: reads elsewhere give ones, ports too.
@safe public final class FlatMemory: Bus {
    /// The RAM itself, `size` bytes.
    public let bytes: UnsafeMutableRawBufferPointer
    private var clock: UInt64 = 0

    /// - Parameter size: a multiple of 4096.
    public init(size: Int) {
        precondition(size > 0 && size % 4096 == 0, "FlatMemory: size \(size) isn't a multiple of 4096")
        unsafe bytes = .allocate(byteCount: size, alignment: 4096)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { unsafe bytes.deallocate() }

    /// Copies bytes into RAM.
    public func write(_ data: [UInt8], at address: Int) {
        precondition(
            unsafe address >= 0 && address + data.count <= bytes.count, "FlatMemory: no RAM at \(address)+\(data.count)")
        for (index, byte) in data.enumerated() { unsafe bytes[address + index] = byte }
    }

    /// A little-endian value in RAM.
    public subscript(address: Int, size: Int) -> UInt64 {
        get {
            var value: UInt64 = 0
            for index in 0..<size { unsafe value |= UInt64(bytes[address + index]) << UInt64(8 * index) }
            return value
        }
        set {
            for index in 0..<size {
                unsafe bytes[address + index] = UInt8(truncatingIfNeeded: newValue >> UInt64(8 * index))
            }
        }
    }

    public func page(_ request: PageRequest) -> PageAnswer {
        let page = request.physical & ~0xFFF
        guard unsafe page < UInt64(bytes.count), let base = unsafe bytes.baseAddress else { return .device }
        return unsafe .memory(host: base + Int(page), allowed: .all)
    }

    public func readDevice(_ physical: UInt64, size: Int) -> UInt64? { .max }
    public func writeDevice(_ physical: UInt64, size: Int, value: UInt64) -> Bool { true }
    public func readPort(_ port: UInt16, size: Int) -> UInt32? { .max }
    public func writePort(_ port: UInt16, size: Int, value: UInt32) -> Bool { true }
    public func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult { Features.cpuid(leaf: leaf, subleaf: subleaf) }
    public func readMSR(_ index: UInt32) -> UInt64? { nil }
    public func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool { false }
    public func timeStampCounter() -> UInt64 {
        clock += 1
        return clock
    }
}
