// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// An open file of a KVM-compatible device: closed when it goes out of scope.
struct DeviceFile: ~Copyable {
    let descriptor: Int32
    let kernel: any DeviceKernel

    /// Opens a device for reading and writing. open(2)
    init(opening path: String, in kernel: any DeviceKernel) throws(KVMError) {
        self.kernel = kernel
        switch kernel.open(path) {
        case .success(let descriptor): self.descriptor = descriptor
        case .failure(let errno):
            throw KVMError(
                operation: "open \(path)", errno: errno, meaning: KVMError.meaning(of: errno, opening: path))
        }
    }

    private init(owning descriptor: Int32, in kernel: any DeviceKernel) {
        self.descriptor = descriptor
        self.kernel = kernel
    }

    deinit { kernel.close(descriptor) }

    /// Takes over a descriptor that an ioctl on this file made.
    func adopt(_ descriptor: Int) -> DeviceFile { DeviceFile(owning: Int32(descriptor), in: kernel) }

    /// A second descriptor of the same open file. dup(2)
    func duplicate() throws(KVMError) -> DeviceFile {
        switch kernel.duplicate(descriptor) {
        case .success(let descriptor): return DeviceFile(owning: descriptor, in: kernel)
        case .failure(let errno): throw KVMError(operation: "dup", errno: errno)
        }
    }

    /// An ioctl with an integer argument. ioctl(2)
    @discardableResult
    func call(_ ioctl: Ioctl, _ argument: UInt = 0) throws(KVMError) -> Int {
        switch kernel.ioctl(descriptor, ioctl.request, argument) {
        case .success(let value): return value
        case .failure(let errno): throw KVMError(ioctl, errno)
        }
    }

    /// An ioctl whose argument is a struct that the kernel reads, writes, or both. ioctl(2)
    @discardableResult
    func call<Argument: BitwiseCopyable>(_ ioctl: Ioctl, _ argument: inout Argument) throws(KVMError) -> Int {
        let result = unsafe withUnsafeMutablePointer(to: &argument) { pointer in
            kernel.ioctl(descriptor, ioctl.request, UInt(bitPattern: pointer))
        }
        switch result {
        case .success(let value): return value
        case .failure(let errno): throw KVMError(ioctl, errno)
        }
    }

    /// An ioctl whose argument is a header followed by a list, both laid out by the caller. ioctl(2)
    @discardableResult
    func call(_ ioctl: Ioctl, bytes: inout [UInt8]) throws(KVMError) -> Int {
        let result = unsafe bytes.withUnsafeMutableBytes { buffer in
            kernel.ioctl(descriptor, ioctl.request, UInt(bitPattern: buffer.baseAddress))
        }
        switch result {
        case .success(let value): return value
        case .failure(let errno): throw KVMError(ioctl, errno)
        }
    }
}
