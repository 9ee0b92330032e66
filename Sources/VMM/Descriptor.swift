// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// A file descriptor that is closed with its last user.
final class Descriptor: Sendable {
    let number: Int32

    init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// Takes the answer of a call that makes one.
    static func made(_ answer: Int32, by call: String, advice: String? = nil) throws(VMMError) -> Descriptor {
        guard answer >= 0 else { throw VMMError(call, errno: errno, advice) }
        return Descriptor(owning: answer)
    }

    static func opening(_ path: String, _ flags: Int32, about: String) throws(VMMError) -> Descriptor {
        try made(unsafe open(path, flags | O_CLOEXEC), by: "the \(about) \(path)")
    }

    /// Bytes in the file, or on the disk.
    func size(of name: String) throws(VMMError) -> UInt64 {
        let end = lseek(number, 0, SEEK_END)
        guard end >= 0 else { throw VMMError("the size of \(name)", errno: errno) }
        return UInt64(end)
    }
}
