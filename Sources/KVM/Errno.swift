// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An error number of the kernel's.
public struct Errno: Error, RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// `EBUSY`, or `errno 4095` for a number without a name.
    public var name: String { Syscalls.errnoName(rawValue) ?? "errno \(rawValue)" }

    /// `EBUSY (16, Device or resource busy)`
    public var description: String { "\(name) (\(rawValue), \(Syscalls.errnoText(rawValue)))" }

    public static let operationNotPermitted = Errno(rawValue: 1)  // EPERM
    public static let noSuchFile = Errno(rawValue: 2)  // ENOENT
    public static let interrupted = Errno(rawValue: 4)  // EINTR
    public static let inputOutput = Errno(rawValue: 5)  // EIO
    public static let noSuchDeviceOrAddress = Errno(rawValue: 6)  // ENXIO
    public static let listTooBig = Errno(rawValue: 7)  // E2BIG
    public static let badDescriptor = Errno(rawValue: 9)  // EBADF
    public static let tryAgain = Errno(rawValue: 11)  // EAGAIN
    public static let noMemory = Errno(rawValue: 12)  // ENOMEM
    public static let permissionDenied = Errno(rawValue: 13)  // EACCES
    public static let badAddress = Errno(rawValue: 14)  // EFAULT
    public static let busy = Errno(rawValue: 16)  // EBUSY
    public static let exists = Errno(rawValue: 17)  // EEXIST
    public static let noDevice = Errno(rawValue: 19)  // ENODEV
    public static let invalidArgument = Errno(rawValue: 22)  // EINVAL
    public static let tooManyOpenFiles = Errno(rawValue: 24)  // EMFILE
    public static let notATypewriter = Errno(rawValue: 25)  // ENOTTY
}
