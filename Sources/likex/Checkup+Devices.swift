// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import KVMABI

extension Checkup {
    /// Whether a kernel module is loaded.
    static func module(_ name: String, in modules: String, load: String, needed: Bool) -> Checkup {
        let loaded = modules.split(separator: "\n").contains { $0.hasPrefix(name + " ") }
        if loaded { return .good("module \(name)", "loaded") }
        return needed
            ? .missing("module \(name)", "not loaded", load) : .note("module \(name)", "not loaded", load)
    }

    /// A device: whether it is there, may be opened, speaks KVM's API and makes a virtual machine.
    static func device(_ path: String, needed: Bool) -> Checkup {
        let what = "device \(path)"
        do throws(KVMError) {
            let system = try System(path: path)
            let slots = try system.check(.nrMemslots)
            let vcpus = try system.check(.maxVcpus)
            _ = try system.makeVirtualMachine()
            return .good(what, "makes virtual machines: \(slots) slots, \(vcpus) vCPUs each")
        } catch {
            let found = "\(error.operation): \(error.errno)"
            let advice = error.meaning ?? "look at the end of the kernel's log: dmesg | tail"
            return Checkup(what: what, status: needed ? .missing : .note, found: found, advice: advice)
        }
    }
}
