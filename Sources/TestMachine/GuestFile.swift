// SPDX-License-Identifier: MIT OR GPL-2.0-only
import FoundationEssentials
import KVM

/// A guest's program in a file, with its settings from guests.json beside it where that has an entry of its name.
public struct GuestFile {
    public var guest: Guest
    public let image: [UInt8]
    /// Whether guests.json has the guest.
    public let isInTable: Bool

    /// A program larger than this is no flat guest.
    static let sizeLimit = 256 << 20

    public init(path: String) throws(MachineError) {
        let image = try Self.read(path, limit: Self.sizeLimit)
        guard !image.isEmpty else { throw .settings("\(path) is empty: a guest is a flat binary of at least one byte") }
        self.image = image

        let url = URL(filePath: path)
        let name = url.deletingPathExtension().lastPathComponent
        let table = url.deletingLastPathComponent().appending(path: "guests.json").path
        if FileManager.default.fileExists(atPath: table) {
            let entry = try GuestTable(json: Self.read(table, limit: 16 << 20), path: table)[name]
            guest = entry ?? Guest(name: name)
            isInTable = entry != nil
        } else {
            guest = Guest(name: name)
            isInTable = false
        }
    }

    /// All of a file.
    static func read(_ path: String, limit: Int) throws(MachineError) -> [UInt8] {
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw .settings("\(path): there is no such file")
        }
        guard !isDirectory else { throw .settings("\(path) is a directory, not a file") }
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw .settings("\(path): you may not read it (ls -l \(path))")
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size <= limit else { throw .settings("\(path) has \(size) bytes, more than the \(limit) allowed") }
        do {
            return [UInt8](try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw .settings("\(path): can't be read: \(error)")
        }
    }
}
