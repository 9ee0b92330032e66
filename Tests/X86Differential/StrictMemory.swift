// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// A case's memory: data that may be read and written, code that may be read and executed, a refusal of everything else.
@safe final class StrictMemory: MemoryBus {
    private let bytes: UnsafeMutableRawBufferPointer

    init() {
        unsafe bytes = .allocate(byteCount: CaseMode.memorySize, alignment: 4096)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0xF4)
    }
    deinit { unsafe bytes.deallocate() }

    func page(_ request: PageRequest) -> PageAnswer {
        guard request.physical < UInt64(CaseMode.memorySize), let base = unsafe bytes.baseAddress else {
            return .refused
        }
        let page = Int(request.physical & ~0xFFF)
        let allowed: AllowedAccess
        if CaseMode.data.contains(page) {
            allowed = [.read, .write]
        } else if CaseMode.code.contains(page) {
            allowed = [.read, .execute]
        } else {
            return .refused
        }
        guard allowed.rawValue >> UInt16(request.access.rawValue) & 1 != 0 else { return .refused }
        return unsafe .memory(host: base + page, allowed: allowed)
    }

    /// Replaces the bytes from an address on.
    func set(_ new: [UInt8], at address: Int) {
        unsafe bytes[address..<(address + new.count)].copyBytes(from: new)
    }
    /// The data memory's bytes.
    var data: [UInt8] { unsafe [UInt8](bytes[CaseMode.data]) }
    func read(_ address: UInt64, _ size: Int) -> UInt64? {
        guard address >= UInt64(CaseMode.data.lowerBound), address <= UInt64(CaseMode.data.upperBound - size) else {
            return nil
        }
        var value: UInt64 = 0
        for index in 0..<size { unsafe value |= UInt64(bytes[Int(address) + index]) << UInt64(8 * index) }
        return value
    }
}
