// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// How a device's files are used.
public enum Personality: Sendable {
    /// KVM's way: one file for the system, one for each VM, one for each vCPU.
    case kvm
    /// LiKeX's way: every ioctl, and the mapping of the run page, on the system's file, which stands for the VM and the
    /// vCPU 0 made through it. Only LiKeX's device has it.
    case oneFile
}
