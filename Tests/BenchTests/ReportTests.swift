// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestMachine
import Testing

@testable import Bench

#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

@Suite("Reports, targets and the table")
struct ReportTests {
    static func figure(_ name: String, _ value: Double, _ unit: Measurement.Unit = .ticks) -> Measurement {
        Measurement(name, "figure \(name)", unit, [value])
    }

    static let report = BenchReport(
        kernel: "6.1.0", rounds: 10,
        devices: [
            .init(
                path: "/dev/kvm",
                measurements: [
                    figure("exit-io", 2981), figure("cpuid", 963), figure("life", 3_000_000),
                    figure("module", 1_527_808, .bytes), figure("memory", 342, .kibibytes), figure("files", 2, .count),
                ]),
            .init(
                path: "/dev/rust_kvm",
                measurements: [
                    figure("exit-io", 1300), figure("cpuid", 400.5), figure("life", 250_000),
                    figure("life-once", 200_001), figure("life-1", 250_000), figure("life-100", 275_000),
                    figure("life-1000", 275_001), figure("module", 229_172, .bytes),
                    figure("memory", 95.6, .kibibytes),
                    Measurement("files", "figure files", .count, unsupported: "no files here"),
                ], problems: ["slots: EBUSY"]),
        ])

    @Test(
        "targets: equal is met, above is missed",
        arguments: [
            ("exit-io", true), ("cpuid", false), ("life", true), ("life-once", false), ("life-100", true), ("life-1000", false),
            ("module", false), ("memory", true),
        ])
    func verdicts(_ name: String, _ isMet: Bool) {
        #expect(Self.report.verdict(name)?.isMet == isMet)
    }

    @Test("no verdict without a target, without LiKeX's device, or without what it is held against")
    func noVerdict() {
        #expect(Self.report.verdict("files") == nil && Self.report.verdict("nothing") == nil)
        let stock = BenchReport(kernel: "", rounds: 1, devices: [Self.report.devices[0]])
        #expect(stock.verdict("exit-io") == nil)
        let alone = BenchReport(
            kernel: "", rounds: 1,
            devices: [
                .init(path: BenchReport.judged, measurements: [Self.figure("module", 1), Self.figure("life-9", 1)])
            ])
        #expect(alone.verdict("module")?.target == .percentOfOther(15) && alone.verdict("module")?.isMet == nil)
        #expect(alone.verdict("life-9")?.target == .near("life-1", percent: 10) && alone.verdict("life-9")?.isMet == nil)
        #expect(Target.named("life-many") == nil && Target.named("life-1") == nil && Target.named("life-") == nil)
    }

    @Test("what is slower or faster beside many VMs is too far off, by more than a tenth")
    func near() {
        let target = Target.near("life", percent: 10)
        #expect(
            [89.9, 90, 110, 110.1].map { target.isMet(by: $0, other: nil) { _ in 100 } } == [false, true, true, false])
    }

    @Test func json() throws {
        let text = try TestMachine.json(Self.report)
        #expect(try JSONDecoder().decode(BenchReport.self, from: Data(text.utf8)) == Self.report)
        #expect(text.contains("\"unsupported\" : \"no files here\"") && text.contains("instruction, not a cycle"))
    }

    @Test func table() {
        let table = BenchTable(Self.report)
        #expect(
            table.table.lines().joined(separator: "\n") == """
                                  unit    /dev/kvm  /dev/rust_kvm  ratio  target
                figure exit-io    ticks      2,981          1,300   0.44  <= 1,300                   met
                figure cpuid      ticks        963            401   0.42  <= 400                     missed
                figure life       ticks  3,000,000        250,000   0.08  <= 300,000                 met
                figure module     bytes  1,527,808        229,172   0.15  <= 15 % of the other's     missed
                figure memory     KiB       342.00          95.60   0.28  <= 96                      met
                figure files      a VM        2.00    unsupported      -
                figure life-once  ticks          -        200,001      -  <= 200,000                 missed
                figure life-1     ticks          -        250,000      -
                figure life-100   ticks          -        275,000      -  within 10 % of beside one  met
                figure life-1000  ticks          -        275,001      -  within 10 % of beside one  missed
                """)
        #expect(table.verdicts == [true, false, true, false, true, nil, false, nil, true, false])
        #expect(table.foot.prefix(2) == ["/dev/rust_kvm: slots: EBUSY", "/dev/rust_kvm: figure files: no files here"])
        #expect(table.foot.count == 2 + BenchReport.method.count)
    }

    @Test("three devices have no ratio, and each figure one row")
    func three() {
        let devices = ["a", "b", "c"].map {
            BenchReport.Device(path: $0, measurements: [Self.figure("x", -1.25, .kibibytes)])
        }
        let lines = BenchTable(BenchReport(kernel: "", rounds: 1, devices: devices)).table.lines()
        #expect(lines.count == 2 && lines[1] == "figure x  KiB   -1.25  -1.25  -1.25")
    }
}
