// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import Glibc

/// The log of written pages.
extension SimulatedVM {
    /// KVM_GET_DIRTY_LOG
    func getDirtyLog(_ argument: UInt) -> Int {
        var log = unsafe kvm_dirty_log()
        let isRead = unsafe withUnsafeMutableBytes(of: &log) { unsafe Self.read(argument, into: $0) }
        return isRead ? withSettings { Int(unsafe lkx_dirty_get(core, &log)) } : Int(-EFAULT)
    }

    /// KVM_CLEAR_DIRTY_LOG
    func clearDirtyLog(_ argument: UInt) -> Int {
        var clear = unsafe kvm_clear_dirty_log()
        let isRead = unsafe withUnsafeMutableBytes(of: &clear) { unsafe Self.read(argument, into: $0) }
        return isRead ? withSettings { Int(unsafe lkx_dirty_clear(core, &clear)) } : Int(-EFAULT)
    }

    private static func read(_ argument: UInt, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        guard let to = buffer.baseAddress else { return false }
        return unsafe UserMemory.copy(from: UInt64(argument), to: to, count: buffer.count)
    }
}
