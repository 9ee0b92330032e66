// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI

/// Guest memory of one slot, mapped in this process. It lives as long as anyone refers to it.
public final class MemorySlot {
    public let slot: UInt32
    public let base: GuestAddress
    public let isReadOnly: Bool
    private let mapping: Mapping

    /// Bytes in the slot.
    public var count: Int { mapping.count }
    /// Where the slot begins in this process.
    public var host: HostAddress { HostAddress(rawValue: UInt64(UInt(bitPattern: unsafe mapping.base))) }
    /// The last address of the slot.
    public var last: GuestAddress { GuestAddress(base.rawValue &+ UInt64(count) &- 1) }

    /// Maps `count` zeroed bytes for a slot; the device doesn't know of it before `VirtualMachine.add`.
    ///
    /// - Parameter alignment: of the address in this process: a power of two from 4096 on.
    public init(
        slot: UInt32, base: GuestAddress, count: Int, alignment: Int = 4096, isReadOnly: Bool = false
    ) throws(KVMError) {
        self.slot = slot
        self.base = base
        self.isReadOnly = isReadOnly
        mapping = try Mapping(anonymous: count, alignment: alignment, about: "memory of slot \(slot)")
    }

    /// Maps the first `count` bytes of a file, shared: of a memfd, say, whose pages may be large ones. The file stays the caller's.
    public init(slot: UInt32, base: GuestAddress, count: Int, file descriptor: Int32) throws(KVMError) {
        self.slot = slot
        self.base = base
        isReadOnly = false
        mapping = try Mapping(sharing: descriptor, count: count, about: "memory of slot \(slot)")
    }

    /// Calls `body` with where the slot's bytes are in this process. They are there as long as the slot is.
    @unsafe public func withHostMemory<Result>(_ body: (UnsafeMutableRawPointer) -> Result) -> Result {
        unsafe body(mapping.base)
    }

    /// Memory of its own with the same bytes, for the same place in another VM.
    public func copy() throws(KVMError) -> MemorySlot {
        let copy = try MemorySlot(slot: slot, base: base, count: count, isReadOnly: isReadOnly)
        // What was never touched is zero there too.
        let page = 4096
        for offset in stride(from: 0, to: count, by: page) {
            let bytes = unsafe UnsafeRawBufferPointer(start: mapping.base + offset, count: min(page, count - offset))
            if unsafe bytes.contains(where: { $0 != 0 }) {
                unsafe (copy.mapping.base + offset).copyMemory(from: mapping.base + offset, byteCount: bytes.count)
            }
        }
        return copy
    }

    /// What the device is told of it.
    var region: kvm_userspace_memory_region {
        kvm_userspace_memory_region(
            slot: slot, flags: isReadOnly ? UInt32(KVM_MEM_READONLY) : 0, guest_phys_addr: base.rawValue,
            memory_size: UInt64(count), userspace_addr: host.rawValue)
    }

    /// Whether `length` bytes from an address on are all in the slot.
    public func contains(_ address: GuestAddress, _ length: Int) -> Bool {
        guard address >= base, length >= 0 else { return false }
        let offset = address.rawValue - base.rawValue
        return offset <= UInt64(count) && UInt64(length) <= UInt64(count) - offset
    }

    public func fill(_ byte: UInt8) {
        unsafe UnsafeMutableRawBufferPointer(start: mapping.base, count: count).update(repeating: byte)
    }

    /// How large the host's pages should be that the memory is made of.
    public enum PageSize: Sendable {
        case small
        case large
    }

    /// Asks the host for pages of a size, where it has none yet; it may have no large ones. madvise(2), MADV_HUGEPAGE, MADV_NOHUGEPAGE
    public func prefer(_ size: PageSize) {
        Syscalls.preferLargePages(size == .large, host.rawValue, count)
    }

    /// Makes every page present in this process by storing 0 to its first byte.
    public func populate() {
        for page in stride(from: 0, to: count, by: 4096) {
            unsafe (mapping.base + page).storeBytes(of: 0, as: UInt8.self)
        }
    }

    /// Writes bytes at a guest address: false, and nothing written, where they don't all fit in the slot.
    public func write(_ bytes: [UInt8], at address: GuestAddress) -> Bool {
        guard contains(address, bytes.count) else { return false }
        let start = unsafe mapping.base + Int(address.rawValue - base.rawValue)
        unsafe bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: start, count: source.count).copyMemory(from: source)
        }
        return true
    }

    /// Reads bytes at a guest address: nil where they aren't all in the slot.
    public func read(at address: GuestAddress, count: Int) -> [UInt8]? {
        guard contains(address, count) else { return nil }
        let start = unsafe mapping.base + Int(address.rawValue - base.rawValue)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }

    /// All of the slot's bytes.
    public func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: mapping.base, count: mapping.count))
        return body(span)
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Every byte becomes `byte`.
    fileprivate func update(repeating byte: UInt8) {
        unsafe initializeMemory(as: UInt8.self, repeating: byte)
    }
}
