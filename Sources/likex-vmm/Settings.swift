// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import MachineConfig
import VMM

/// The configuration as this process gets it.
enum Settings {
    static func read(_ path: String) throws(VMMError) -> MachineConfig {
        let descriptor = path == "-" ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw VMMError("the settings \(path): \(unsafe String(cString: strerror(errno)))") }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        // One byte more than may be is enough to tell.
        while bytes.count <= MachineConfig.sizeLimit {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw VMMError("the settings \(path): \(unsafe String(cString: strerror(errno)))") }
            if count == 0 { break }
            bytes += buffer.prefix(count)
        }
        do throws(ConfigError) { return try MachineConfig(json: bytes) } catch { throw VMMError("\(path): \(error)") }
    }
}
