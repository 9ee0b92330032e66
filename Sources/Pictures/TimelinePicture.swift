// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine

/// A timeline as a picture: three lanes for each vCPU, a colour for each reason to exit.
public struct TimelinePicture {
    /// The SVG file.
    public let text: String

    private static let margin = 24.0
    private static let labels = 128.0
    private static let plot = 1120.0
    private static let laneHeight = 26.0
    private static let laneGap = 4.0
    private static let vcpuGap = 20.0
    private static let top = 84.0
    /// Narrower segments are drawn this wide, and those of a lane that fall on the same place become one.
    private static let narrowest = 0.25
    /// Segments up to which each says what it is where the mouse points.
    private static let tipLimit = 3000

    public init(_ timeline: Timeline, title: String) {
        var svg = SVG()
        svg.text("Exits over time", x: Self.margin, y: 36, style: "title")
        svg.text("\(title): \(timeline.summary)", x: Self.margin, y: 58, style: "about")
        let colours = Self.colours(timeline)
        let lanes: [Timeline.Lane] = timeline.hasKernelEvents ? [.guest, .kernel, .user] : [.run, .user]
        let vcpuHeight = Double(lanes.count) * (Self.laneHeight + Self.laneGap) + Self.vcpuGap
        let bottom = Self.top + Double(max(timeline.vcpus.count, 1)) * vcpuHeight
        Self.axis(timeline.duration, bottom, &svg)
        for (number, vcpu) in timeline.vcpus.enumerated() {
            let y = Self.top + Double(number) * vcpuHeight
            svg.text("vCPU \(vcpu)", x: Self.margin, y: y + 17, style: "name")
            for (row, lane) in lanes.enumerated() {
                let place = y + Double(row) * (Self.laneHeight + Self.laneGap)
                Self.draw(lane, vcpu, at: place, timeline, colours, &svg)
            }
        }
        let height = Self.legend(timeline, colours, bottom + 34, &svg)
        text = svg.document(
            width: 2 * Self.margin + Self.labels + Self.plot, height: height + Self.margin,
            title: "Exits over time: \(title)", style: Self.style)
    }

    private static func name(_ lane: Timeline.Lane) -> String {
        switch lane {
        case .guest: "guest"
        case .kernel: "kernel"
        case .user: "user space"
        case .run: "KVM_RUN"
        }
    }

    private static func draw(
        _ lane: Timeline.Lane, _ vcpu: UInt32, at y: Double, _ timeline: Timeline, _ colours: [String: String],
        _ svg: inout SVG
    ) {
        let left = margin + labels
        svg.text(name(lane), x: left - 8, y: y + 17, style: "label", anchor: .end)
        svg.rectangle(x: left, y: y, width: plot, height: laneHeight, style: "lane", radius: 3)
        let own = timeline.segments.filter { $0.lane == lane && $0.vcpu == vcpu }
        let scale = plot / Double(max(timeline.duration, 1))
        let hasTips = timeline.segments.count <= tipLimit
        var drawnTo = -1.0
        for segment in own {
            let begin = (Double(segment.time.begin) * scale / narrowest).rounded(.down) * narrowest
            let end = max((Double(segment.time.end) * scale / narrowest).rounded() * narrowest, begin + narrowest)
            let start = max(begin, drawnTo)
            guard end > start else { continue }
            drawnTo = end
            let style = lane == .guest ? "guest" : colours[segment.cause] ?? "other"
            let tip =
                "\(name(lane)), \(segment.cause): \(counted(segment.time.ticks, "tick")) from \(grouped(segment.time.begin))"
            svg.rectangle(
                x: left + start, y: y, width: end - start, height: laneHeight, style: style, tip: hasTips ? tip : nil)
        }
    }

    private static func axis(_ duration: UInt64, _ bottom: Double, _ svg: inout SVG) {
        let left = margin + labels
        let step = axisStep(duration)
        guard step > 0 else { return }
        var tick: UInt64 = 0
        while tick <= duration {
            let x = left + plot * Double(tick) / Double(duration)
            svg.line(x1: x, y1: top - 6, x2: x, y2: bottom - vcpuGap + 6, style: "grid")
            svg.text(grouped(tick), x: x, y: bottom - vcpuGap + 22, style: "mono", anchor: tick == 0 ? .start : .middle)
            tick += step
        }
    }

    /// 1, 2 or 5 times a power of ten, so that there are four to ten of them. 0 for no time at all.
    static func axisStep(_ duration: UInt64) -> UInt64 {
        guard duration > 0 else { return 0 }
        var power: UInt64 = 1
        while true {
            for factor: UInt64 in [1, 2, 5] where duration / (power * factor) < 10 { return power * factor }
            guard power <= UInt64.max / 100 else { return power }
            power *= 10
        }
    }

    /// The dearest reasons have colours of their own.
    private static func colours(_ timeline: Timeline) -> [String: String] {
        var result = ["start": "start"]
        for (number, total) in timeline.reasons.prefix(shades).enumerated() { result[total.reason] = "c\(number)" }
        return result
    }

    private static let shades = 8

    /// - Returns: where it ends.
    private static func legend(
        _ timeline: Timeline, _ colours: [String: String], _ top: Double, _ svg: inout SVG
    ) -> Double {
        var y = top
        let left = margin + labels
        svg.text("exit", x: left + 22, y: y, style: "head")
        for (text, x) in [("count", 270.0), ("ticks", 390), ("of all", 470), ("median", 580)] {
            svg.text(text, x: left + x, y: y, style: "head", anchor: .end)
        }
        for total in timeline.reasons {
            y += 20
            svg.rectangle(
                x: left, y: y - 11, width: 14, height: 14, style: colours[total.reason] ?? "other", radius: 2)
            svg.text(total.reason, x: left + 22, y: y, style: "mono")
            let cells = [
                ("\(total.count)", 270.0), (grouped(total.cost), 390),
                (percent(total.cost, of: timeline.duration), 470), (grouped(total.medianCost), 580),
            ]
            for (text, x) in cells { svg.text(text, x: left + x, y: y, style: "mono", anchor: .end) }
        }
        if timeline.hasKernelEvents {
            y += 20
            svg.rectangle(x: left, y: y - 11, width: 14, height: 14, style: "guest", radius: 2)
            svg.text("in the guest", x: left + 22, y: y, style: "label")
            svg.rectangle(x: left + 130, y: y - 11, width: 14, height: 14, style: "start", radius: 2)
            svg.text("before the first exit", x: left + 152, y: y, style: "label")
        }
        return y
    }

    /// Colours that people tell apart who see fewer of them (Okabe and Ito's set, and three more).
    private static let style = """
        .paper { fill: #ffffff }
        text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; fill: #1f2933 }
        .title { font-size: 20px; font-weight: 600 }
        .about, .label { fill: #52606d }
        .name { font-weight: 600; font-size: 13px }
        .head { font-weight: 600; fill: #52606d }
        .mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 11px }
        .lane { fill: #f5f7fa }
        .grid { stroke: #e4e7eb; stroke-width: 1 }
        .guest { fill: #7b8794 }
        .start { fill: #cbd2d9 }
        .other { fill: #3e4c59 }
        .c0 { fill: #d55e00 }
        .c1 { fill: #0072b2 }
        .c2 { fill: #009e73 }
        .c3 { fill: #e69f00 }
        .c4 { fill: #cc79a7 }
        .c5 { fill: #56b4e9 }
        .c6 { fill: #8d5a2b }
        .c7 { fill: #6f4fa0 }
        """
}
