// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine

/// The file in which the module shows the page tables of all VMs, or a copy of it.
struct PageTablesFile {
    var path = EPTSnapshot.path

    /// The VMs that are asked for, the oldest first.
    ///
    /// - Throws: where there is none, too.
    func read(where isWanted: (EPTSnapshot) -> Bool) throws(MachineError) -> [EPTSnapshot] {
        let text: String
        switch SystemFile.read(path) {
        case .success(let all): text = all
        case .failure(let errno):
            throw .device(
                path: path, KVMError(operation: "open \(path)", errno: errno, meaning: meaning(errno)))
        }
        let all: [EPTSnapshot]
        do throws(EPTFormatError) {
            all = try EPTSnapshot.parse(text)
        } catch {
            throw .settings("\(path): \(error)")
        }
        let wanted = all.filter(isWanted)
        guard !wanted.isEmpty else {
            let others = all.map { "VM \($0.id) of process \($0.process)" }.joined(separator: ", ")
            throw .settings("\(path) has no such VM: " + (all.isEmpty ? "it has none" : "it has \(others)"))
        }
        return wanted
    }

    private func meaning(_ errno: Errno) -> String? {
        guard path == EPTSnapshot.path else { return nil }
        switch errno {
        case .permissionDenied, .operationNotPermitted: return "only root may look at page tables: sudo likex ept ..."
        case .noSuchFile:
            return "LiKeX's module isn't loaded (likex doctor), or debugfs isn't mounted: "
                + "mount -t debugfs debugfs /sys/kernel/debug"
        default: return nil
        }
    }
}
