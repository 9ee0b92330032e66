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

    /// Maps zeroed memory that nobody else sees, at a multiple of `alignment`, a power of two from 4096 on. mmap(2)
    init(anonymous count: Int, alignment: Int = 4096, about: String) throws(KVMError) {
        precondition(alignment >= 4096 && alignment & (alignment - 1) == 0, "an alignment of \(alignment)")
        kernel = HostKernel.shared
        // What is before and behind it goes at once.
        let spare = alignment - 4096
        switch unsafe Syscalls.map(nil, count + spare) {
        case .success(let start):
            let before = -Int(bitPattern: start) & (alignment - 1)
            let base = unsafe start + before
            // The system ends a mapping at the end of a page.
            let length = (count + 4095) & ~4095
            if before > 0 { unsafe Syscalls.unmap(start, before) }
            if spare > before { unsafe Syscalls.unmap(base + length, spare - before) }
            unsafe self.base = base
        case .failure(let errno):
            throw KVMError(
                operation: "mmap \(about)", errno: errno,
                meaning: "the host has no room for \(count) bytes of guest memory: ask for less")
        }
        self.count = count
    }

    /// Maps a file of the host's, shared. mmap(2)
    init(sharing descriptor: Int32, count: Int, about: String) throws(KVMError) {
        kernel = HostKernel.shared
        switch unsafe Syscalls.map(descriptor, count) {
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
