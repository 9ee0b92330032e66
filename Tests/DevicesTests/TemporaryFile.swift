// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

@testable import Devices

/// A file that has no name any more.
@safe final class TemporaryFile {
    let file: HostFile
    private let descriptor: Int32

    init(_ bytes: [UInt8]) {
        var path = Array("/tmp/likex-devices-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&path)
        self.descriptor = descriptor
        precondition(descriptor >= 0, "mkstemp: errno \(errno)")
        _ = unsafe unlink(path)
        _ = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        file = HostFile(owning: descriptor)
    }

    func read(_ offset: Int, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let done = unsafe bytes.withUnsafeMutableBytes {
            unsafe pread(descriptor, $0.baseAddress, count, off_t(offset))
        }
        return Array(bytes.prefix(max(0, done)))
    }
}

/// A path where there is nothing yet.
func temporaryPath(_ name: String) -> String {
    "/tmp/likex-devices-\(name)-\(getpid())-\(UInt32.random(in: 0 ... .max))"
}

func remove(_ path: String) { _ = unsafe unlink(path) }

func makeFile(_ path: String) { _ = close(unsafe creat(path, 0o600)) }

func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
