// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Devices
import Glibc

/// What a guest's disk is on the host: a file or a block device, checked, and locked against other VMs.
final class DiskFile {
    /// Two descriptors with the same one are of one file.
    struct Identity: Equatable {
        let isBlockDevice: Bool
        let device: UInt64
        let number: UInt64
    }

    let file: HostFile
    let isReadOnly: Bool
    let byteCount: UInt64
    let identity: Identity

    /// - Parameters:
    ///   - name: for messages.
    ///   - others: of this machine, which a descriptor's lock says nothing of where they came of one open(2).
    init(_ file: HostFile, _ name: String, isReadOnly: Bool, others: [DiskFile]) throws(VMMError) {
        var state = lkx_vmm_file()
        let answer = unsafe lkx_vmm_file_state(file.descriptor, &state)
        guard answer == 0 else { throw VMMError("the disk \(name)", errno: -answer) }
        try Self.check(state, name, isReadOnly: isReadOnly)
        let identity = Identity(isBlockDevice: state.is_block, device: state.device, number: state.number)
        if let other = others.first(where: { $0.identity == identity }), !(other.isReadOnly && isReadOnly) {
            throw VMMError("the disk \(name): another disk of this VM is the same file, and they aren't both read-only")
        }
        // Two guests that write to one file system destroy it.
        let lock = lkx_vmm_lock_file(file.descriptor, isReadOnly)
        guard lock == 0 else { throw VMMError("the disk \(name)", errno: -lock, lock == -EWOULDBLOCK ? "another VM has it" : nil) }
        let end = lseek(file.descriptor, 0, SEEK_END)
        guard end >= 512 else {
            let error = errno
            lkx_vmm_unlock_file(file.descriptor)
            guard end >= 0 else { throw VMMError("the size of the disk \(name)", errno: error) }
            throw VMMError("the disk \(name) has \(end) bytes: not one sector of 512")
        }
        (self.file, self.isReadOnly, self.identity, byteCount) = (file, isReadOnly, identity, UInt64(end))
    }

    /// What is open for this.
    static func isOpen(_ state: lkx_vmm_file, forWriting: Bool) -> Bool {
        guard state.flags & lkx_vmm_path_only == 0 else { return false }
        let access = state.flags & O_ACCMODE
        return access == O_RDWR || !forWriting && access == O_RDONLY
    }

    private static func check(_ state: lkx_vmm_file, _ name: String, isReadOnly: Bool) throws(VMMError) {
        guard state.is_regular || state.is_block else {
            throw VMMError("the disk \(name) is neither a file nor a block device")
        }
        guard isOpen(state, forWriting: !isReadOnly) else {
            throw VMMError("the disk \(name) must be open for reading\(isReadOnly ? "" : " and writing (O_RDWR), or be read-only")")
        }
        // A write to the end of the file whatever the guest says.
        guard isReadOnly || state.flags & O_APPEND == 0 else {
            throw VMMError("the disk \(name) is open with O_APPEND, with which all that the guest writes would get behind its end")
        }
        guard state.flags & lkx_vmm_direct == 0 else {
            throw VMMError("the disk \(name) is open with O_DIRECT, with which no buffers of the guest's but aligned ones can be used")
        }
    }

    /// For who lent the descriptor and has it still: a lock is kept until the last one of an open(2) is closed.
    func unlock() { lkx_vmm_unlock_file(file.descriptor) }
}
