// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVMABI

/// The pages of a slot that were written, one bit each.
public struct DirtyLog: Equatable, Sendable {
    /// 64 pages each, the lowest bit first.
    public private(set) var words: [UInt64]

    /// None of so many pages.
    public init(pages: Int) { words = [UInt64](repeating: 0, count: (pages + 63) / 64) }

    /// Whether the page of that number in its slot is in it.
    public subscript(page: Int) -> Bool {
        get { words[page / 64] & 1 << (page % 64) != 0 }
        set { words[page / 64] = words[page / 64] & ~(1 << (page % 64)) | (newValue ? 1 << (page % 64) : 0) }
    }

    /// The numbers of the pages that are in it.
    public var pages: [Int] { (0..<words.count * 64).filter { self[$0] } }

    fileprivate mutating func withAddress<Result>(_ body: (UInt64) -> Result) -> Result {
        unsafe words.withUnsafeMutableBytes { body(UInt64(UInt(bitPattern: $0.baseAddress))) }
    }
}

/// kvm_dirty_log and kvm_clear_dirty_log, with addresses as numbers.
private struct GetRequest: BitwiseCopyable {
    var slot: UInt32
    var padding: UInt32 = 0
    var bitmap: UInt64
}

private struct ClearRequest: BitwiseCopyable {
    var slot: UInt32
    var pages: UInt32
    var first: UInt64 = 0
    var bitmap: UInt64
}

/// Which pages were written since the log was read. Writes of this process are not in it.
extension VirtualMachine {
    /// Begins or ends the log of a slot that was added. KVM_SET_USER_MEMORY_REGION with or without KVM_MEM_LOG_DIRTY_PAGES
    public func setLogging(_ isOn: Bool, of slot: MemorySlot) throws(KVMError) {
        var region = slot.region
        if isOn { region.flags |= UInt32(KVM_MEM_LOG_DIRTY_PAGES) }
        try file.call(.setUserMemoryRegion, &region)
    }

    /// The pages written since the last time; with `protectDirtyLogByHand`, since `clear`. KVM_GET_DIRTY_LOG
    public func dirtyLog(of slot: MemorySlot) throws(KVMError) -> DirtyLog {
        var log = DirtyLog(pages: slot.count / 4096)
        let result: Result<Void, KVMError> = log.withAddress { address in
            var request = GetRequest(slot: slot.slot, bitmap: address)
            do throws(KVMError) { try file.call(.getDirtyLog, &request) } catch { return .failure(error) }
            return .success(())
        }
        try result.get()
        return log
    }

    /// From now on only `clear` takes pages out of logs; those that begin later have all pages at first, where that is asked for. KVM_ENABLE_CAP
    public func protectDirtyLogByHand(allAtFirst: Bool) throws(KVMError) {
        var request = kvm_enable_cap()
        request.cap = Capability.manualDirtyLogProtect2.number
        request.args.0 = UInt64(KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) | (allAtFirst ? UInt64(KVM_DIRTY_LOG_INITIALLY_SET) : 0)
        try file.call(.enableCap, &request)
    }

    /// Takes pages out of the slot's log: what is written to them from now on will be in it again. KVM_CLEAR_DIRTY_LOG
    public func clear(_ log: DirtyLog, of slot: MemorySlot) throws(KVMError) {
        var log = log
        let result: Result<Void, KVMError> = log.withAddress { address in
            var request = ClearRequest(slot: slot.slot, pages: UInt32(slot.count / 4096), bitmap: address)
            do throws(KVMError) { try file.call(.clearDirtyLog, &request) } catch { return .failure(error) }
            return .success(())
        }
        try result.get()
    }
}
