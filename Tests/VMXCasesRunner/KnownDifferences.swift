// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A case that a processor judges in another way than the model, and why that is no mistake of the model's.
struct KnownDifference {
    let name: String
    /// How the machine's answer begins.
    let machine: String
    let reason: String

    init(_ name: String, _ machine: String, _ reason: String) {
        self.name = name
        self.machine = machine
        self.reason = reason
    }

    /// A check of the SDM's that the machine hasn't.
    static func unchecked(_ name: String, _ check: String) -> KnownDifference {
        KnownDifference(name, "entered", "\(check); Bochs doesn't check it")
    }
}

/// A case that takes the machine down with it.
struct Fatality {
    let name: String
    let reason: String
}

/// Of the lab's processor, Bochs 2.7's corei7_skylake_x. Sections are SDM vol. 3's, and it is right in all of them.
enum KnownDifferences {
    static let list = entries + translations

    private static let entries: [KnownDifference] = [
        .unchecked(
            "long64 PROC_CONTROLS=0x952061f2 TPR_THRESHOLD=0x3",
            "27.2.1.1: a TPR threshold above VTPR's priority"),
        KnownDifference(
            "long64 ENTRY_CONTROLS=0xd7ff",
            "failed entry 33 qualification 0",
            "27.2.1.3: \"entry to SMM\" outside of SMM is VMfail 7; Bochs sees it among the guest's state, too late"),
        KnownDifference(
            "long64 EXIT_CONTROLS=0x3f7fff HOST_IA32_PERF_GLOBAL_CTRL=0x10",
            "entered",
            "27.2.2: reserved bits of IA32_PERF_GLOBAL_CTRL; Bochs has no performance counters behind the control"),
        KnownDifference(
            "long64 ENTRY_CONTROLS=0xf3ff GUEST_IA32_PERF_GLOBAL_CTRL=0x800000000",
            "entered",
            "27.3.1.1: reserved bits of IA32_PERF_GLOBAL_CTRL; Bochs has no performance counters behind the control"),
        .unchecked(
            "long64 GUEST_CR0=0x50033",
            "27.3.1.1: an IA-32e mode guest has paging, unrestricted or not"),
        .unchecked(
            "long64 GUEST_IA32_DEBUGCTL=0x4",
            "27.3.1.1: reserved bits of IA32_DEBUGCTL"),
        .unchecked(
            "long64 GUEST_IA32_DEBUGCTL=0x10000",
            "27.3.1.1: reserved bits of IA32_DEBUGCTL"),
        .unchecked("long64 GUEST_RIP=0x1000000000000", "27.3.1.4: bits 63:48 of RIP are the same"),
        .unchecked("long64 GUEST_RIP=0xfffe800000000000", "27.3.1.4: bits 63:48 of RIP are the same"),
        .unchecked(
            "virtual8086 GUEST_CR0=0x30",
            "27.3.1.4: RFLAGS.VM without CR0.PE"),
        KnownDifference(
            "long64 GUEST_CS_ACCESS_RIGHTS=0xa0ff GUEST_SS_ACCESS_RIGHTS=0xc0f3",
            "failed entry 33 qualification 0",
            "27.3.1.2: a conforming CS has a DPL not above that of SS; Bochs compares it with CS's RPL"),
        KnownDifference(
            "pae32 GUEST_CS_SELECTOR=0x12", "failed entry 33 qualification 0",
            "27.3.1.2: CS has the DPL of SS, whatever its RPL is; Bochs compares it with CS's RPL"),
        KnownDifference(
            "pae32 GUEST_SS_ACCESS_RIGHTS=0xc0b3", "entered",
            "27.3.1.2: CS has the DPL of SS, whatever its RPL is; Bochs compares it with CS's RPL"),
        .unchecked(
            "long64 GUEST_ACTIVITY_STATE=0x1 ENTRY_INTERRUPTION_INFO=0x80000306",
            "27.3.1.5: of the exceptions only #DB and #MC can be injected into a guest in HLT"),
        KnownDifference(
            "long64 GUEST_INTERRUPTIBILITY=0x1 GUEST_RFLAGS=0x202 ENTRY_INTERRUPTION_INFO=0x80000202",
            "failed entry 33 qualification 0",
            "27.8: the qualification is 3 for an NMI that is injected while STI blocks; Bochs has 0"),
        .unchecked(
            "long64 GUEST_INTERRUPTIBILITY=0x8 ENTRY_INTERRUPTION_INFO=0x80000202",
            "27.3.1.5: with virtual NMIs none is injected while they are blocked"),
        .unchecked("long64 GUEST_PENDING_DEBUG=0x100000000", "27.3.1.5: bits 63:32 of pending debug exceptions"),
        .unchecked(
            "long64 GUEST_INTERRUPTIBILITY=0x2 GUEST_RFLAGS=0x102",
            "27.3.1.5: with events blocked, TF without BTF asks for BS among the pending debug exceptions"),
        .unchecked(
            "long64 GUEST_INTERRUPTIBILITY=0x2 GUEST_PENDING_DEBUG=0x4000",
            "27.3.1.5: with events blocked, BS is only pending with TF"),
        .unchecked(
            "long64 GUEST_ACTIVITY_STATE=0x1 GUEST_PENDING_DEBUG=0x4000",
            "27.3.1.5: with events blocked, BS is only pending with TF"),
        KnownDifference(
            "long64 ENTRY_MSR_LOAD_COUNT=0x1 ENTRY_MSR_LOAD_ADDR=0x6000 [0x6000]=0x9b [0x6008]=0x0",
            "entered",
            "27.4: IA32_SMM_MONITOR_CTL is for SMM alone; the lab's Bochs has no such MSR and is told to ignore those"),
    ]

    private static let translations: [KnownDifference] = [
        onlyTheWrite("[2001 3007 4007 555037] rw", 0x18A), onlyTheWrite("[2007 3001 4007 555037] rw", 0x18A),
        onlyTheWrite("[2007 3007 4001 555037] rw", 0x18A), onlyTheWrite("[2007 3007 4007 555031] rw", 0x18A),
        onlyTheWrite("[2007 3007 4007 555031] r by a walk A/D", 0x8A),
        onlyTheWrite("[2007 3007 0 555037] r by a walk A/D", 0x82),
        misaligned("[2007 3007 2010b7 555037] r"), misaligned("[2007 400010b7 4007 555037] r"),
        KnownDifference(
            "[2007 3007 4007 555031] w by a walk", "access made",
            "29.3.3.2: setting a flag in a guest's paging structures needs write permission; Bochs doesn't look again"),
    ]

    /// An access that reads and writes, as those to a guest's tables do where EPT has flags.
    private static func onlyTheWrite(_ name: String, _ qualification: UInt64) -> KnownDifference {
        KnownDifference(
            name, "EPT violation 0x\(String(qualification, radix: 16)) ",
            "table 28-7: bit 0 for the read and bit 1 for the write; Bochs sets only the latter")
    }

    private static func misaligned(_ name: String) -> KnownDifference {
        KnownDifference(
            name, "access made",
            "29.3.2: in an entry for a large page bit 12 is reserved; Bochs leaves it out: it is PAT in other tables")
    }

    /// Not run at all.
    static let fatal: [Fatality] = [
        Fatality(
            name: "long64 ENTRY_INTERRUPTION_INFO=0x80000700",
            reason: "Bochs panics, \"unsupported event injection type 7\", where 27.2.1.3 has VMfail 7")
    ]
}
