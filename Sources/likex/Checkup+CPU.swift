// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What is known of this machine's processor.
struct ProcessorFacts: Equatable {
    let vendor: String
    /// CPUID.1:ECX.VMX[5]
    let cpuidHasVMX: Bool
    /// The kernel's word for word list of features, "flags" of /proc/cpuinfo.
    let flags: Set<String>
    /// Its list of VMX features, "vmx flags".
    let vmxFlags: Set<String>

    init(vendor: String, cpuidHasVMX: Bool, cpuinfo: String) {
        self.vendor = vendor
        self.cpuidHasVMX = cpuidHasVMX
        flags = Self.words("flags", in: cpuinfo)
        vmxFlags = Self.words("vmx flags", in: cpuinfo)
    }

    /// The words behind a key of /proc/cpuinfo, of the first processor.
    private static func words(_ key: String, in cpuinfo: String) -> Set<String> {
        for line in cpuinfo.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            var name = parts[0]
            while let last = name.last, last.isWhitespace { name.removeLast() }
            if name == key { return Set(parts[1].split(separator: " ").map(String.init)) }
        }
        return []
    }
}

extension Checkup {
    static let emulate = "use the emulated machine instead: make run"

    /// VMX, EPT and unrestricted guest: what LiKeX can't do without.
    static func processor(_ facts: ProcessorFacts) -> [Checkup] {
        guard facts.cpuidHasVMX else {
            let why =
                facts.flags.contains("hypervisor")
                ? "this is a virtual machine whose CPU (\(facts.vendor)) offers no VMX"
                : "the CPU (\(facts.vendor)) has no VMX"
            let advice =
                facts.vendor == "GenuineIntel" && facts.flags.contains("hypervisor")
                ? "let the outer hypervisor offer nested VMX (kvm_intel nested=1, -cpu host), or \(emulate)"
                : "LiKeX needs an Intel CPU with VMX; \(emulate)"
            return [.missing("VMX", why, advice)]
        }
        guard facts.flags.contains("vmx") else {
            return [
                .missing(
                    "VMX", "the CPU has it, but the firmware has locked it off",
                    "switch on \"Intel virtualization technology\" (VT-x) in the firmware's set-up, or \(emulate)")
            ]
        }
        return [.good("VMX", "the CPU has it")] + [
            feature("EPT", "ept", facts), feature("unrestricted guest", "unrestricted_guest", facts),
            optional("VPID", "vpid", facts, "each exit flushes the TLB"),
            optional("EPT accessed and dirty bits", "ept_ad", facts, "LiKeX goes without"),
        ]
    }

    private static func feature(_ what: String, _ flag: String, _ facts: ProcessorFacts) -> Checkup {
        if facts.vmxFlags.contains(flag) { return .good(what, "the CPU has it") }
        return .missing(what, "the CPU doesn't have it", "LiKeX can't do without \(what); \(emulate)")
    }

    private static func optional(
        _ what: String, _ flag: String, _ facts: ProcessorFacts, _ consequence: String
    ) -> Checkup {
        facts.vmxFlags.contains(flag) ? .good(what, "the CPU has it") : .note(what, "not there: \(consequence)")
    }
}
