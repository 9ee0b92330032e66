// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import KVM

/// Files of the kernel's own file systems, which say nothing of their size and take a write as a command.
enum SystemFile {
    /// All of a file; the error otherwise. open(2), read(2)
    static func read(_ path: String) -> Result<String, Errno> {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(Errno(rawValue: errno)) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return .success(String(decoding: bytes, as: UTF8.self)) }
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(Errno(rawValue: errno))
            }
            bytes += buffer.prefix(count)
        }
    }

    /// Writes a text in one call, to a file that is there; nil or the error. open(2), write(2)
    static func write(_ text: String, to path: String) -> Errno? {
        store(text, path, O_WRONLY | O_CLOEXEC)
    }

    /// Makes a file with a text in it, or replaces what was in it; nil or the error.
    static func create(_ path: String, _ text: String) -> Errno? {
        store(text, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC)
    }

    private static func store(_ text: String, _ path: String, _ flags: Int32) -> Errno? {
        let descriptor = unsafe open(path, flags, 0o644)
        guard descriptor >= 0 else { return Errno(rawValue: errno) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                let error = Errno(rawValue: errno)
                close(descriptor)
                return error
            }
            rest = rest.dropFirst(count)
        }
        return close(descriptor) == 0 ? nil : Errno(rawValue: errno)
    }

    /// mkdir(2)
    static func makeDirectory(_ path: String) -> Errno? {
        unsafe mkdir(path, 0o700) == 0 ? nil : Errno(rawValue: errno)
    }

    /// rmdir(2)
    static func removeDirectory(_ path: String) { _ = unsafe rmdir(path) }

    /// Lets this process have so many files open, as far as it may. setrlimit(2)
    static func raiseFileLimit(to count: Int) {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(files, &limit) == 0, limit.rlim_cur < rlim_t(count) else { return }
        limit.rlim_cur = rlim_t(count)
        limit.rlim_max = max(limit.rlim_max, limit.rlim_cur)
        if unsafe setrlimit(files, &limit) != 0 {
            // Only root may raise the upper one.
            unsafe getrlimit(files, &limit)
            limit.rlim_cur = limit.rlim_max
            _ = unsafe setrlimit(files, &limit)
        }
    }

    /// Of the main thread, too. getpid(2)
    static var processIdentifier: Int32 { getpid() }
}
