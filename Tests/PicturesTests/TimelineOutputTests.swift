// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine
import Testing

@testable import Pictures

@Suite("A timeline as text, JSON and a picture")
struct TimelineOutputTests {
    private let timeline = TimelineTests.timeline

    @Test func text() {
        let text = TimelineText(timeline)
        #expect(
            text.lines.joined(separator: "\n") == """
                time  vCPU  exit            what                        rip  guest  kernel  user  to user space
                 200     0  EPT_VIOLATION   fetch at 0x5000: mapped  0x1000    100     100     -
                 400     0  IO_INSTRUCTION  out 0x3f8 1 byte         0x1000    100     200   200  io out 0x3f8 1 byte: 34
                 950     0  HLT                                      0x1000    150      50     0  hlt
                """)
        #expect(
            text.totals.joined(separator: "\n") == """
                exit            count  cost   share  median
                IO_INSTRUCTION      1   400  40.0 %     400
                EPT_VIOLATION       1   100  10.0 %     100
                HLT                 1    50   5.0 %      50
                """)
        #expect(
            timeline.summary
                == "3 exits, 2 to user space, in 1,000 ticks: guest 35.0 %, kernel 45.0 %, user space 20.0 %")
    }

    @Test func plainText() {
        let timeline = Timeline(runs: [0: TimelineTests.runs], events: nil)
        #expect(
            TimelineText(timeline).lines.joined(separator: "\n") == """
                 time  vCPU  exit  what                     KVM_RUN  user
                  500     0  io    io out 0x3f8 1 byte: 34      500   200
                1,000     0  hlt   hlt                          300     0
                """)
        #expect(
            timeline.summary == "2 exits to user space, in 1,000 ticks: KVM_RUN 80.0 %, user space 20.0 %")
    }

    @Test func report() throws {
        let report = TimelineReport(
            timeline, guest: "likex", device: "sim", end: "hlt", source: "simulator", lostEvents: 0)
        #expect(report.ticks == ["guest": 350, "kernel": 450, "user": 200] && report.duration == 1000)
        #expect(report.exits[1].rip == "0x1000" && report.exits[1].userSpace == "io out 0x3f8 1 byte: 34")
        #expect(try json(report).contains("\"source\" : \"simulator\""))
    }

    @Test func picture() {
        let document = Document(TimelinePicture(timeline, title: "likex on <sim>").text)
        #expect(document.error == nil && document.outside == 0)
        #expect(document.count("rect", style: "lane") == 3)
        // And one in the legend.
        #expect(document.count("rect", style: "guest") == 3 + 1)
        #expect(document.count("rect", style: "c0") == 3 + 1)
        for text in ["vCPU 0", "guest", "kernel", "user space", "IO_INSTRUCTION", "EPT_VIOLATION", "HLT", "1,000"] {
            #expect(document.texts.contains(text), "\(text)")
        }
        let plain = Document(TimelinePicture(Timeline(runs: [0: TimelineTests.runs], events: nil), title: "x").text)
        #expect(plain.error == nil && plain.count("rect", style: "lane") == 2 && plain.texts.contains("KVM_RUN"))
    }

    @Test("a hundred thousand exits make no larger file than the picture is wide")
    func large() {
        let runs = (0..<100_000).map { TimelineTests.run($0 * 10, $0 * 10 + 5, "io", "io") }
        let document = Document(TimelinePicture(Timeline(runs: [0: runs], events: nil), title: "x").text)
        #expect(document.error == nil && document.outside == 0)
        #expect(document.elements.count < 12_000)
    }

    @Test func axis() {
        #expect(
            [0, 1, 9, 10, 99, 100, 1_000_000, .max].map { TimelinePicture.axisStep($0) }.prefix(7)
                == [0, 1, 1, 2, 10, 20, 200_000])
    }
}
