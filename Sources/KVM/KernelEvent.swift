// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the kernel's side of a device did for a vCPU: one of LiKeX's trace points (kmod/linux/trace.h).
public struct KernelEvent: Equatable, Sendable {
    public enum What: Equatable, Sendable {
        /// VM entry.
        case entry(rip: UInt64)
        /// VM exit, with the processor's fields of the same names.
        case exit(reason: UInt32, qualification: UInt64, rip: UInt64, interruption: UInt32, vectoring: UInt32)
        /// An event for the guest to take at the next VM entry.
        case inject(info: UInt32, error: UInt32)
        /// A page was mapped.
        case fault(GuestAddress, qualification: UInt64)
        /// An access to an address without memory goes to user space.
        case mmio(GuestAddress, count: Int, isWrite: Bool, data: UInt64)
        /// Port input or output goes to user space.
        case port(UInt16, size: Int, count: Int, isInput: Bool)
    }

    /// In ticks of this machine's TSC.
    public let time: UInt64
    public let vcpu: UInt32
    public let what: What

    public init(time: UInt64, vcpu: UInt32, what: What) {
        self.time = time
        self.vcpu = vcpu
        self.what = what
    }
}
