// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// A call on a device that failed: what was called, with which error, and what it likely means.
public struct KVMError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The ioctl's name (`KVM_CREATE_VM`), or the call and what it was about (`open /dev/kvm`).
    public let operation: String
    public let errno: Errno
    /// What it likely means and what to do, in a sentence; nil where there is nothing to add to the error's text.
    public let meaning: String?

    public init(operation: String, errno: Errno, meaning: String? = nil) {
        self.operation = operation
        self.errno = errno
        self.meaning = meaning
    }

    /// An ioctl that failed, with what is known of that error of that ioctl.
    public init(_ ioctl: Ioctl, _ errno: Errno) {
        self.init(operation: ioctl.name, errno: errno, meaning: Self.meaning(of: errno, from: ioctl))
    }

    /// A run page that contradicts the ABI, for example a data offset outside of it.
    public init(runPage problem: String) {
        self.init(
            operation: "KVM_RUN", errno: .inputOutput,
            meaning: "the device filled the run page wrongly: \(problem)")
    }

    /// `KVM_CREATE_VM: EBUSY (16, Device or resource busy): another hypervisor ...`
    public var description: String {
        let text = "\(operation): \(errno)"
        return meaning.map { "\(text): \($0)" } ?? text
    }
}
