// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import VMXCases
import VMXSim

/// Runs the cases of Tests/VMXCases on this machine's processor, through vmx_cases.ko, and on the model, and compares.
func compareAll(_ report: inout Report) throws(Problem) {
    let device = try Device()
    let capabilities = try Capabilities(device)
    let entries = try EntryComparison(device, capabilities)
    for group in EntryCases.groups {
        report.begin("VM entry: \(group.name)")
        for test in group.cases { report.add(test.name, try entries.compare(test)) }
    }
    let translations = try EPTComparison(device, capabilities)
    for group in EPTCases.groups {
        report.begin("EPT: \(group.name)")
        for test in group.cases { report.add(test.name, try translations.compare(test)) }
    }
}

let arguments = CommandLine.arguments.dropFirst()
if let unknown = arguments.first(where: { $0 != "--all" }) {
    print("vmx-cases: \(unknown)? Only --all is understood: a line for each case, as it is run")
    exit(2)
}
var report = Report(tellsAll: !arguments.isEmpty)
do throws(Problem) {
    try compareAll(&report)
} catch {
    print("vmx-cases: \(error)")
    exit(2)
}
exit(report.finish() ? 0 : 1)
