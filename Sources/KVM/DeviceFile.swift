// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// An open file of a KVM-compatible device: closed when it goes out of scope.
struct DeviceFile: ~Copyable {
    let descriptor: Int32

    /// Opens a device for reading and writing. open(2)
    init(opening path: String) throws(KVMError) {
        switch Syscalls.open(path) {
        case .success(let descriptor): self.descriptor = descriptor
        case .failure(let errno):
            throw KVMError(
                operation: "open \(path)", errno: errno, meaning: KVMError.meaning(of: errno, opening: path))
        }
    }

    /// Takes over a descriptor that an ioctl made.
    init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { Syscalls.close(descriptor) }

    /// A second descriptor of the same open file. dup(2)
    func duplicate() throws(KVMError) -> DeviceFile {
        switch Syscalls.duplicate(descriptor) {
        case .success(let descriptor): return DeviceFile(owning: descriptor)
        case .failure(let errno): throw KVMError(operation: "dup", errno: errno)
        }
    }

    /// An ioctl with an integer argument. ioctl(2)
    @discardableResult
    func call(_ ioctl: Ioctl, _ argument: UInt = 0) throws(KVMError) -> Int {
        switch Syscalls.ioctl(descriptor, ioctl.request, argument) {
        case .success(let value): return value
        case .failure(let errno): throw KVMError(ioctl, errno)
        }
    }

    /// An ioctl whose argument is a struct that the kernel reads, writes, or both. ioctl(2)
    @discardableResult
    func call<Argument: BitwiseCopyable>(_ ioctl: Ioctl, _ argument: inout Argument) throws(KVMError) -> Int {
        switch unsafe Syscalls.ioctl(descriptor, ioctl.request, &argument) {
        case .success(let value): return value
        case .failure(let errno): throw KVMError(ioctl, errno)
        }
    }

    /// An ioctl whose argument is a header followed by a list, both laid out by the caller. ioctl(2)
    @discardableResult
    func call(_ ioctl: Ioctl, bytes: inout [UInt8]) throws(KVMError) -> Int {
        switch unsafe Syscalls.ioctl(descriptor, ioctl.request, &bytes) {
        case .success(let value): return value
        case .failure(let errno): throw KVMError(ioctl, errno)
        }
    }
}
