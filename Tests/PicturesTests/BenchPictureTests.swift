// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Bench
import Testing

@testable import Pictures

@Suite("A picture of figures")
struct BenchPictureTests {
    private func device(_ path: String, _ values: [(String, Double)]) -> BenchReport.Device {
        .init(path: path, measurements: values.map { Measurement($0.0, "figure <\($0.0)>", .ticks, [$0.1]) })
    }

    @Test("a bar for each, none out of the picture, a mark for each target that is a number")
    func bars() {
        var likex = device("/dev/rust_kvm", [("exit-io", 1500), ("life", 9e9), ("life-100", 9e9)])
        likex.measurements.append(Measurement("cpuid", "figure <cpuid>", .ticks, unsupported: "why"))
        let report = BenchReport(
            kernel: "6.1", rounds: 1,
            devices: [device("/dev/kvm", [("exit-io", 3000), ("life", 1000), ("cpuid", 900)]), likex])
        let document = Document(BenchPicture(report).text)
        #expect(document.error == nil && document.outside == 0)
        // And one each in the legend.
        #expect(document.count("rect", style: "c0") == 3 + 1 && document.count("rect", style: "c1") == 3 + 1)
        #expect(document.count("line", style: "target") == 3 + 1)
        for text in ["figure <life>, ticks", "unsupported", "3,000", "9,000,000,000", "/dev/kvm"] {
            #expect(document.texts.contains(text), "\(text)")
        }
    }

    @Test("one device, nothing measured, zeros and less")
    func corners() {
        for values in [[], [("exit-io", 0.0)], [("exit-io", -5.0)]] {
            let report = BenchReport(kernel: "", rounds: 1, devices: [device("sim", values)])
            let document = Document(BenchPicture(report).text)
            #expect(document.error == nil && document.outside == 0)
        }
    }
}
