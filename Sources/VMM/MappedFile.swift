// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// A file that is read where it is, without a copy: a kernel, an initrd.
@safe final class MappedFile {
    let name: String
    let count: Int
    @unsafe private let base: UnsafeRawPointer

    /// - Parameter about: "kernel", for messages.
    init(_ path: String, about: String) throws(VMMError) {
        let file = try Descriptor.opening(path, O_RDONLY, about: about)
        let size = try file.size(of: "the \(about) \(path)")
        guard size > 0 else { throw VMMError("the \(about) \(path) is empty") }
        guard let count = Int(exactly: size) else { throw VMMError("the \(about) \(path) has \(size) bytes: that is no file to load") }
        let address = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, file.number, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw VMMError("mapping the \(about) \(path)", errno: errno)
        }
        (name, self.count) = ("\(about) \(path)", count)
        unsafe base = UnsafeRawPointer(address)
    }

    deinit { _ = unsafe munmap(UnsafeMutableRawPointer(mutating: base), count) }

    @unsafe var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }

    func withSpan<Result, Failure>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
        try body(unsafe RawSpan(_unsafeBytes: bytes))
    }
}
