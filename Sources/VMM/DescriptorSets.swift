// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Devices
import JSON
import QMP

/// Descriptors that clients of the control socket have passed, by the number of their set: `/dev/fdset/N` where a file's name is wanted.
struct DescriptorSets {
    private struct Member {
        let file: HostFile
        let note: String?
    }

    /// Of all sets together, so that the process keeps some for itself.
    static let most = 64
    static let prefix = "/dev/fdset/"
    private static let largest = UInt64(UInt32.max)

    private var sets: [UInt64: [Member]] = [:]

    /// `add-fd`
    /// - Parameter take: the descriptor that has come, if one has.
    mutating func add(to set: UInt64?, note: String?, _ take: () -> HostFile?) -> Result<JSON, QMPError> {
        if let set, set > Self.largest {
            return .failure(QMPError("'fdset-id' is \(set), wanted: a number up to \(Self.largest)"))
        }
        guard let file = take() else {
            return .failure(QMPError("no descriptor has come: send one before the command, by SCM_RIGHTS (send_fd_scm of qemu.qmp)"))
        }
        guard sets.values.reduce(0, { $0 + $1.count }) < Self.most else {
            return .failure(QMPError("there are \(Self.most) descriptors in sets, which is the most: remove-fd takes some away"))
        }
        // There is a free one among as many numbers as there can be sets.
        let id = set ?? UInt64((0...Self.most).first { sets[UInt64($0)] == nil } ?? 0)
        sets[id, default: []].append(Member(file: file, note: note))
        return .success(QMPReply.descriptor(set: id, number: file.descriptor))
    }

    /// `remove-fd`. A node that has the file keeps it.
    mutating func remove(_ set: UInt64, number: UInt64?) -> Result<JSON, QMPError> {
        guard let members = sets[set] else { return .failure(Self.unknown(set)) }
        let left = number.map { number in members.filter { UInt64($0.file.descriptor) != number } } ?? []
        guard left.count < members.count else {
            return .failure(QMPError("set \(set) has no descriptor \(number ?? 0): query-fdsets lists what there is"))
        }
        sets[set] = left.isEmpty ? nil : left
        return .success(QMPReply.nothing)
    }

    /// `query-fdsets`
    var json: JSON {
        QMPReply.descriptorSets(
            sets.sorted { $0.key < $1.key }.map { id, members in (id, members.map { ($0.file.descriptor, $0.note) }) })
    }

    /// The first one of the set that is open for this.
    /// - Parameter name: `/dev/fdset/N`
    func file(_ name: String, forWriting: Bool) throws(QMPError) -> HostFile {
        guard name.hasPrefix(Self.prefix), let set = UInt64(name.dropFirst(Self.prefix.count)) else {
            throw QMPError(
                "file '\(name)': a running VM opens no files; pass a descriptor with add-fd and name it \(Self.prefix)N")
        }
        guard let members = sets[set] else { throw Self.unknown(set) }
        let file = members.map(\.file).first {
            var state = lkx_vmm_file()
            return unsafe lkx_vmm_file_state($0.descriptor, &state) == 0 && DiskFile.isOpen(state, forWriting: forWriting)
        }
        guard let file else {
            let wanted = forWriting ? "reading and writing (O_RDWR): pass such a one, or add the node with \"read-only\": true" : "reading"
            throw QMPError("no descriptor in set \(set) is open for \(wanted)")
        }
        return file
    }

    private static func unknown(_ set: UInt64) -> QMPError {
        QMPError("there is no set \(set): query-fdsets lists those there are, and add-fd makes one")
    }
}
