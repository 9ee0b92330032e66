// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc
import MachineConfig

/// What a machine's process gives up before its guest's first instruction, so that a guest that takes it over gets no further.
///
/// Everything is open by then; disks that come later are opened by who sends them. What is left: the descriptors, memory without code in it, and the
/// calls of `CallFilter`; and the host's unix sockets
/// where the guest has a vsock, for a connection of the guest's opens one at that time. Landlock has no right for that before version 9: it is the
/// folder's permissions that keep others' sockets from the VM's user.
struct Sandbox {
    let config: MachineConfig

    static let advice = "\"sandbox\": false, or --no-sandbox, goes on without"

    /// Before the processors' threads are made, which inherit this: privileges, capabilities, files.
    ///
    /// - Parameters:
    ///   - terminal: as it was, for the end.
    ///   - note: told what this kernel doesn't have.
    func enter(terminal: termios?, note: (String) -> Void) throws(VMMError) {
        // The list of what is open is one of files.
        let inherited = lkx_vmm_close_inherited()
        if inherited < 0 { note("descriptors that were inherited stay open: /proc/self/fd can't be read") }
        try Self.check(lkx_vmm_no_new_privileges(), "PR_SET_NO_NEW_PRIVS")
        try Self.check(lkx_vmm_drop_capabilities(), "capset")
        try Self.check(lkx_vmm_no_dump(), "PR_SET_DUMPABLE")
        let version = Int(lkx_vmm_landlock_version())
        if version > 0 {
            try Landlock(version: version).apply(removingIn: config.control.map(Self.folder))
        } else {
            note("this kernel has no Landlock: only the filter of system calls keeps the machine's process from files")
        }
        if var terminal {
            try Self.check(unsafe lkx_vmm_catch_forbidden(&terminal), "sigaction")
        } else {
            try Self.check(lkx_vmm_catch_forbidden(nil), "sigaction")
        }
    }

    /// With all threads there, of which none has run the guest: the filter.
    func close() throws(VMMError) { try CallFilter(config, process: getpid()).install() }

    private static func check(_ answer: Int32, _ call: String) throws(VMMError) {
        guard answer == 0 else { throw VMMError(call, errno: -answer, advice) }
    }

    /// Where the file with this path is.
    static func folder(_ path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
    }
}
