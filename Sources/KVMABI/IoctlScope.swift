// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The kind of file that KVM documents an ioctl for. LiKeX's system file takes those of a VM and of vCPU 0 too.
public enum IoctlScope: Sendable {
    case system
    case vm
    case vcpu
    case device
}
