// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import KVMABI
import TestRandom
import VMXCases
import VMXSim

/// Runs the cases of Tests/VMXCases on this machine's processor, through vmx_cases.ko, and on the model, and compares.
func compareAll(_ options: Options, _ report: inout Report) throws(Problem) {
    let device = try Device()
    let capabilities = try Capabilities(device)
    let fields = try FieldComparison(device, capabilities)
    report.begin("VMCS fields")
    for field in VMCSField.allCases { try report.add(field.name) { () throws(Problem) in try fields.compare(field) } }
    let entries = try EntryComparison(device, capabilities)
    for group in EntryCases.groups {
        report.begin("VM entry: \(group.name)")
        for test in group.cases { try report.add(test.name) { () throws(Problem) in try entries.compare(test) } }
    }
    report.begin("VM entry: by chance, seed \(options.seed)")
    var random = RandomEntries(seed: options.seed, capabilities)
    for _ in 0..<options.randomCases {
        let test = random.next()
        try report.add(test.name) { () throws(Problem) in try entries.compare(test, isRandom: true) }
    }
    let translations = try EPTComparison(device, capabilities)
    for group in EPTCases.groups {
        report.begin("EPT: \(group.name)")
        for test in group.cases { try report.add(test.name) { () throws(Problem) in try translations.compare(test) } }
    }
}

do throws(Problem) {
    let options = try Options(CommandLine.arguments.dropFirst())
    var report = Report(tellsAll: options.tellsAll)
    try compareAll(options, &report)
    exit(report.finish() ? 0 : 1)
} catch {
    print("vmx-cases: \(error)")
    exit(2)
}
