// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Every table of cases for VM entry, under the name of what it is about.
package enum EntryCases {
    package static let groups: [(name: String, cases: [EntryCase])] = [
        ("bases", Base.allCases.map { EntryCase(base: $0, changes: [], expected: []) }),
        ("execution controls", ControlCases.execution),
        ("exit and entry controls", ControlCases.exitAndEntry),
        ("host state", HostCases.registers),
        ("guest registers", GuestCases.registers),
        ("guest segments", SegmentCases.all),
        ("guest non-register state", GuestCases.nonRegister),
        ("bounds configuration", GuestCases.bounds),
        ("MSR loading", MSRCases.entry),
        ("order of the checks", OrderCases.all),
    ]

    package static let all: [EntryCase] = groups.flatMap(\.cases)
}
