// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Memory mapped into this process: unmapped when it goes out of scope.
@safe struct Mapping: ~Copyable {
    @unsafe let base: UnsafeMutableRawPointer
    let count: Int
    private let kernel: any DeviceKernel

    /// Maps a device's file, shared. mmap(2)
    init(_ file: borrowing DeviceFile, count: Int, about: String) throws(KVMError) {
        kernel = file.kernel
        switch unsafe file.kernel.map(file.descriptor, count) {
        case .success(let base): unsafe self.base = base
        case .failure(let errno): throw KVMError(operation: "mmap \(about)", errno: errno)
        }
        self.count = count
    }

    /// Maps zeroed memory that nobody else sees. mmap(2)
    init(anonymous count: Int, about: String) throws(KVMError) {
        kernel = HostKernel.shared
        switch unsafe Syscalls.map(nil, count) {
        case .success(let base): unsafe self.base = base
        case .failure(let errno):
            throw KVMError(
                operation: "mmap \(about)", errno: errno,
                meaning: "the host has no room for \(count) bytes of guest memory: ask for less")
        }
        self.count = count
    }

    deinit { unsafe kernel.unmap(base, count) }
}
