// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore

/// The pages that a vCPU shares with its VMM: struct kvm_run and the buffer of port I/O. They live as long as anyone has them mapped.
@safe final class RunPages {
    static let size = Int(LIKEX_RUN_PAGES) * 4096

    @unsafe let base: UnsafeMutableRawPointer

    init() {
        unsafe base = .allocate(byteCount: Self.size, alignment: 4096)
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size)
    }

    deinit { unsafe base.deallocate() }

    @unsafe var run: UnsafeMutablePointer<kvm_run> { unsafe base.assumingMemoryBound(to: kvm_run.self) }
    @unsafe var portData: UnsafeMutablePointer<UInt8> {
        unsafe (base + Int(LIKEX_PIO_PAGE) * 4096).assumingMemoryBound(to: UInt8.self)
    }
}
