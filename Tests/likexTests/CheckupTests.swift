// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import likex

@Suite("likex doctor: what is found and what to do")
struct CheckupTests {
    private func facts(vendor: String = "GenuineIntel", vmx: Bool = true, flags: String, vmxFlags: String = "")
        -> ProcessorFacts
    {
        ProcessorFacts(
            vendor: vendor, cpuidHasVMX: vmx,
            cpuinfo:
                "processor\t: 0\nflags\t\t: \(flags)\nvmx flags\t: \(vmxFlags)\nbugs\t\t:\n\nprocessor\t: 1\nflags\t\t: other\n"
        )
    }

    private func statuses(_ checks: [Checkup]) -> [Checkup.Status] { checks.map(\.status) }

    @Test("an Intel CPU with everything")
    func complete() {
        let checks = Checkup.processor(
            facts(flags: "fpu vmx sse", vmxFlags: "vnmi ept vpid unrestricted_guest ept_ad"))
        #expect(statuses(checks) == [.good, .good, .good, .good, .good])
        #expect(checks.allSatisfy { $0.advice == nil })
    }

    @Test("what LiKeX can do without is a note, what it can't is missing")
    func old() {
        let checks = Checkup.processor(facts(flags: "vmx", vmxFlags: "ept"))
        #expect(statuses(checks) == [.good, .good, .missing, .note, .note])
        #expect(checks[2].what == "unrestricted guest")
        #expect(checks[2].advice?.contains("make run") == true)
    }

    @Test("the firmware's lock shows in /proc/cpuinfo only")
    func locked() {
        let checks = Checkup.processor(facts(flags: "fpu"))
        #expect(statuses(checks) == [.missing])
        #expect(checks[0].advice?.contains("VT-x") == true)
    }

    @Test("no VMX: another vendor, or a virtual machine")
    func without() {
        #expect(
            Checkup.processor(facts(vendor: "AuthenticAMD", vmx: false, flags: "svm"))[0].found
                == "the CPU (AuthenticAMD) has no VMX")
        #expect(
            Checkup.processor(facts(vmx: false, flags: "hypervisor"))[0].advice?.contains("nested=1") == true)
    }

    @Test func modules() {
        let modules = "kvm_intel 400000 0 - Live 0x0\nlikex_other 1 0 - Live 0x0\n"
        #expect(Checkup.module("kvm_intel", in: modules, load: "x", needed: true).status == .good)
        #expect(Checkup.module("likex", in: modules, load: "x", needed: true).status == .missing)
        #expect(
            Checkup.module("likex", in: modules, load: "x", needed: false) == .note("module likex", "not loaded", "x"))
    }

    @Test func device() {
        let check = Checkup.device("/nonexistent/kvm", needed: true)
        #expect(check.status == .missing)
        #expect(check.found.contains("ENOENT"))
        #expect(check.advice?.contains("insmod") == true)
    }
}
