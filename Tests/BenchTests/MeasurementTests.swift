// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Bench

@Suite("Medians")
struct MeasurementTests {
    @Test func median() {
        func median(_ samples: [Double]) -> Double? { Measurement("x", "x", .ticks, samples).value }
        #expect(median([]) == nil)
        #expect(median([5]) == 5)
        #expect(median([9, 1, 5]) == 5)
        #expect(median([9, 1, 5, 6]) == 5.5)
    }

    @Test("least, most and how many")
    func range() {
        let measurement = Measurement("x", "x", .ticks, [7, 3, 1_000_000] as [UInt64])
        #expect(measurement.value == 7 && measurement.least == 3 && measurement.most == 1_000_000)
        #expect(measurement.samples == 3 && measurement.unsupported == nil)
    }

    @Test("what wasn't measured has a reason and no value")
    func nothing() {
        #expect(Measurement("x", "x", .ticks, [] as [Double]).unsupported != nil)
        let lacking = Measurement("x", "x", .ticks, unsupported: "why")
        #expect(lacking.value == nil && lacking.unsupported == "why")
    }
}
