// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Glibc

@testable import VMM

/// A file without a name, of so many bytes.
final class TestFile {
    let descriptor: Int32

    /// - Parameter flags: how it is open.
    init(_ byteCount: Int, _ flags: Int32 = O_RDWR) {
        var path = Array("/tmp/likex-vmm-XXXXXX".utf8CString)
        let first = unsafe mkstemp(&path)
        precondition(first >= 0 && ftruncate(first, off_t(byteCount)) == 0)
        descriptor = unsafe open(path, flags)
        _ = unsafe unlink(path)
        close(first)
    }

    deinit { close(descriptor) }

    /// Another descriptor of the same open(2).
    var copy: Int32 { dup(descriptor) }

    /// Which file it is.
    static func number(_ descriptor: Int32) -> UInt64 {
        var state = lkx_vmm_file()
        precondition(unsafe lkx_vmm_file_state(descriptor, &state) == 0)
        return state.number
    }

    func bytes(_ offset: Int, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        _ = unsafe pread(descriptor, &bytes, count, off_t(offset))
        return bytes
    }
}

extension Descriptor {
    /// sendmsg(2) with SCM_RIGHTS.
    func pass(_ descriptors: [Int32], _ text: String) {
        // struct cmsghdr, and behind it the descriptors, up to a multiple of eight bytes.
        let length = 16 + 4 * descriptors.count
        var control = [Int32](repeating: 0, count: (length + 7) / 8 * 2)
        (control[0], control[2], control[3]) = (Int32(length), SOL_SOCKET, 1)
        for (index, descriptor) in descriptors.enumerated() { control[4 + index] = descriptor }
        var text = Array(text.utf8)
        let count = text.count
        let sent = unsafe text.withUnsafeMutableBytes { text in
            unsafe control.withUnsafeMutableBytes { control in
                var part = unsafe iovec(iov_base: text.baseAddress, iov_len: count)
                return unsafe withUnsafeMutablePointer(to: &part) { part in
                    var message = unsafe msghdr()
                    unsafe message.msg_iov = part
                    unsafe message.msg_iovlen = 1
                    unsafe message.msg_control = control.baseAddress
                    unsafe message.msg_controllen = control.count
                    return unsafe sendmsg(number, &message, 0)
                }
            }
        }
        precondition(sent == count, "sendmsg: errno \(errno)")
    }
}
