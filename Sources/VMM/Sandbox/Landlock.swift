// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc

/// Which rights a kernel's Landlock can take from a process: landlock(7). Version by version, as the kernel may be older or newer than this program.
struct Landlock: Equatable {
    /// Of files: LANDLOCK_ACCESS_FS_*. All of the version's, but what is done with a descriptor that is open already is no right.
    let files: UInt64
    /// LANDLOCK_ACCESS_NET_*
    let network: UInt64
    /// LANDLOCK_SCOPE_*: sockets without a path, and signals, of processes outside.
    let scopes: UInt64

    /// LANDLOCK_ACCESS_FS_REMOVE_FILE
    static let removeFile: UInt64 = 1 << 5

    /// - Parameter version: what the kernel says of itself, from 1 on.
    init(version: Int) {
        // From EXECUTE to MAKE_SYM, then REFER, TRUNCATE, IOCTL_DEV.
        let count =
            switch version {
            case ...1: 13
            case 2: 14
            case 3, 4: 15
            default: 16
            }
        files = (1 << UInt64(count)) - 1
        network = version >= 4 ? 0b11 : 0
        scopes = version >= 6 ? 0b11 : 0
    }

    /// Takes them from this thread and those that it makes.
    ///
    /// - Parameter folder: where files may still be removed, if anywhere.
    func apply(removingIn folder: String?) throws(VMMError) {
        let error = unsafe lkx_vmm_landlock(files, network, scopes, folder, folder == nil ? 0 : Self.removeFile)
        guard error == 0 else {
            throw VMMError("Landlock" + (folder.map { ", with \($0)" } ?? ""), errno: -error, Sandbox.advice)
        }
    }
}
