// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// A device to measure: opened again and again, as that is part of a VM's life.
public struct BenchDevice: Sendable {
    public let path: String
    private let kernel: (any DeviceKernel)?

    /// - Parameter kernel: who has the device; nil for the operating system.
    public init(path: String, in kernel: (any DeviceKernel)? = nil) {
        self.path = path
        self.kernel = kernel
    }

    /// Whether it is in this process.
    var isSimulated: Bool { kernel != nil }

    func open() throws(KVMError) -> System { try System(path: path, in: kernel) }
}
