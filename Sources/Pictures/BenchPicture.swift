// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import Bench
import TestMachine

/// A report as a picture: two bars for each figure, the first device's as long as any other, and a mark where the target is.
public struct BenchPicture {
    /// The SVG file.
    public let text: String

    private static let margin = 24.0
    private static let labels = 440.0
    private static let plot = 480.0
    private static let numbers = 150.0
    private static let barHeight = 11.0
    private static let rowGap = 12.0
    private static let top = 118.0
    /// Of the plot's width, a bar of the first device.
    private static let unit = 0.7

    public init(_ report: BenchReport) {
        var svg = SVG()
        let title = "What LiKeX costs beside stock KVM"
        svg.text(title, x: Self.margin, y: 36, style: "title")
        svg.text(
            "Linux \(report.kernel), medians; each figure in units of the first device's. Shorter is better.",
            x: Self.margin, y: 58, style: "about")
        for (index, device) in report.devices.enumerated() {
            let x = Self.margin + Double(index) * 180
            svg.rectangle(x: x, y: 76, width: 14, height: 14, style: Self.style(index), radius: 2)
            svg.text(device.path, x: x + 22, y: 88, style: "mono")
        }
        svg.line(x1: Self.margin + 372, y1: 76, x2: Self.margin + 372, y2: 90, style: "target")
        svg.text("target", x: Self.margin + 382, y: 88, style: "label")

        var y = Self.top
        for name in report.names {
            let all = report.devices.map { $0.measurement(name) }
            guard let any = all.compactMap({ $0 }).first, all.contains(where: { $0?.value != nil }) else { continue }
            y = Self.row(any, name, all, report, at: y, &svg)
        }
        for line in report.method {
            y += 18
            svg.text(line, x: Self.margin, y: y, style: "about")
        }
        text = svg.document(
            width: 2 * Self.margin + Self.labels + Self.plot + Self.numbers, height: y + Self.margin,
            title: title, style: Self.style)
    }

    /// - Returns: where it ends.
    private static func row(
        _ any: Measurement, _ name: String, _ all: [Measurement?], _ report: BenchReport, at y: Double,
        _ svg: inout SVG
    ) -> Double {
        let height = Double(all.count) * barHeight
        svg.text(
            "\(any.title), \(any.unit.rawValue)", x: margin + labels - 10, y: y + height / 2 + 4, style: "label",
            anchor: .end)
        let values = all.map { $0?.value }
        // Without a first figure the largest is the measure.
        let measure = max(values.first.flatMap { $0 } ?? 0, 0)
        let whole = measure > 0 ? measure : values.compactMap { $0 }.max() ?? 0
        let left = margin + labels
        for (index, value) in values.enumerated() {
            let place = y + Double(index) * barHeight
            guard let value else {
                svg.text(all[index] == nil ? "-" : "unsupported", x: left + 4, y: place + 9, style: "small")
                continue
            }
            let length = width(value, of: whole)
            svg.rectangle(
                x: left, y: place, width: length, height: barHeight - 1, style: style(index), radius: 1,
                tip: "\(report.devices[index].path): \(BenchTable.number(value, any.unit)) \(any.unit.rawValue)")
            svg.text(BenchTable.number(value, any.unit), x: left + length + 6, y: place + 9, style: "small")
        }
        if let target = report.verdict(name)?.target, let mark = target.value(other: values.first.flatMap { $0 }),
            whole > 0
        {
            let x = left + width(mark, of: whole)
            svg.line(x1: x, y1: y - 2, x2: x, y2: y + height + 1, style: "target")
        }
        return y + height + rowGap
    }

    private static func width(_ value: Double, of whole: Double) -> Double {
        guard whole > 0 else { return 0 }
        return min(max(value / whole * unit, 0), 1) * plot
    }

    private static func style(_ index: Int) -> String { "c\(min(index, 2))" }

    /// Colours of the timeline's picture.
    private static let style = """
        .paper { fill: #ffffff }
        text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; fill: #1f2933 }
        .title { font-size: 20px; font-weight: 600 }
        .about, .label { fill: #52606d }
        .mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 11px }
        .small { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 10px }
        .target { stroke: #1f2933; stroke-width: 2 }
        .c0 { fill: #9aa5b1 }
        .c1 { fill: #0072b2 }
        .c2 { fill: #e69f00 }
        """
}
