// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Testing

/// This machine's /dev/kvm, where it is usable.
enum HostDevice {
    static let path = "/dev/kvm"

    /// Why tests on the device are skipped; nil when they run.
    static let problem: String? = {
        do throws(KVMError) {
            let system = try System(path: path)
            _ = try system.makeVirtualMachine()
            return nil
        } catch {
            return error.description
        }
    }()

    static var isUsable: Bool { problem == nil }
    /// What is shown in place of a skipped test.
    static let skipped: Comment = "\(path) is not usable here: \(problem ?? "")"
}
