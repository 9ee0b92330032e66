// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Who answers for a device's files: the operating system, or a simulator in this process.
///
/// Descriptors are the kernel's own numbers; an ioctl that makes a file returns one. Pointers travel as addresses, as they
/// do to a kernel.
public protocol DeviceKernel: AnyObject, Sendable {
    /// open(2) for reading and writing.
    func open(_ path: String) -> Result<Int32, Errno>
    func close(_ descriptor: Int32)
    /// A second descriptor of the same open file. dup(2)
    func duplicate(_ descriptor: Int32) -> Result<Int32, Errno>
    /// ioctl(2) with an integer or an address.
    func ioctl(_ descriptor: Int32, _ request: UInt32, _ argument: UInt) -> Result<Int, Errno>
    /// ioctl(KVM_RUN), never retried, and its cost in ticks of the TSC.
    func run(_ descriptor: Int32, _ request: UInt32) -> (Result<Int, Errno>, ticks: UInt64)
    /// Maps a file, shared. mmap(2)
    @unsafe func map(_ descriptor: Int32, _ length: Int) -> Result<UnsafeMutableRawPointer, Errno>
    @unsafe func unmap(_ address: UnsafeMutableRawPointer, _ length: Int)
}

/// The operating system.
final class HostKernel: DeviceKernel {
    static let shared = HostKernel()

    func open(_ path: String) -> Result<Int32, Errno> { Syscalls.open(path) }
    func close(_ descriptor: Int32) { Syscalls.close(descriptor) }
    func duplicate(_ descriptor: Int32) -> Result<Int32, Errno> { Syscalls.duplicate(descriptor) }
    func ioctl(_ descriptor: Int32, _ request: UInt32, _ argument: UInt) -> Result<Int, Errno> {
        Syscalls.ioctl(descriptor, request, argument)
    }
    func run(_ descriptor: Int32, _ request: UInt32) -> (Result<Int, Errno>, ticks: UInt64) {
        Syscalls.run(descriptor, request)
    }
    @unsafe func map(_ descriptor: Int32, _ length: Int) -> Result<UnsafeMutableRawPointer, Errno> {
        unsafe Syscalls.map(descriptor, length)
    }
    @unsafe func unmap(_ address: UnsafeMutableRawPointer, _ length: Int) { unsafe Syscalls.unmap(address, length) }
}
