// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// An SVG picture in the making. Lengths are in pixels.
struct SVG {
    private var elements: [String] = []

    /// Where a text stands in relation to its x.
    enum Anchor: String { case start, middle, end }

    mutating func rectangle(
        x: Double, y: Double, width: Double, height: Double, style: String, radius: Double = 0, tip: String? = nil
    ) {
        let corner = radius > 0 ? " rx=\"\(Self.length(radius))\"" : ""
        let shape =
            "<rect x=\"\(Self.length(x))\" y=\"\(Self.length(y))\" width=\"\(Self.length(width))\" "
            + "height=\"\(Self.length(height))\"\(corner) class=\"\(Self.escaped(style))\""
        elements.append(tip.map { "\(shape)><title>\(Self.escaped($0))</title></rect>" } ?? "\(shape)/>")
    }

    mutating func text(_ text: String, x: Double, y: Double, style: String, anchor: Anchor = .start) {
        let place = anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\""
        elements.append(
            "<text x=\"\(Self.length(x))\" y=\"\(Self.length(y))\"\(place) class=\"\(Self.escaped(style))\">"
                + "\(Self.escaped(text))</text>")
    }

    mutating func line(x1: Double, y1: Double, x2: Double, y2: Double, style: String) {
        elements.append(
            "<line x1=\"\(Self.length(x1))\" y1=\"\(Self.length(y1))\" x2=\"\(Self.length(x2))\" "
                + "y2=\"\(Self.length(y2))\" class=\"\(Self.escaped(style))\"/>")
    }

    /// A curve from left to right between two points, level at both ends.
    mutating func link(x1: Double, y1: Double, x2: Double, y2: Double, style: String) {
        let middle = Self.length((x1 + x2) / 2)
        elements.append(
            "<path d=\"M\(Self.length(x1)) \(Self.length(y1))C\(middle) \(Self.length(y1)) \(middle) "
                + "\(Self.length(y2)) \(Self.length(x2)) \(Self.length(y2))\" class=\"\(Self.escaped(style))\"/>")
    }

    /// The whole file.
    ///
    /// - Parameters:
    ///   - title: what screen readers say of it.
    ///   - style: CSS for the classes used.
    func document(width: Double, height: Double, title: String, style: String) -> String {
        let size = "\(Self.length(width)) \(Self.length(height))"
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.length(width))" height="\(Self.length(height))" \
            viewBox="0 0 \(size)" role="img">
            <title>\(Self.escaped(title))</title>
            <style>
            \(style)
            </style>
            <rect width="100%" height="100%" class="paper"/>
            \(elements.joined(separator: "\n"))
            </svg>

            """
    }

    /// Hundredths of a pixel are enough, and make files that don't depend on rounding.
    static func length(_ value: Double) -> String {
        guard value.isFinite else { return "0" }
        let hundredths = Int((max(min(value, 1e7), -1e7) * 100).rounded())
        let rest = abs(hundredths % 100)
        let sign = hundredths < 0 ? "-" : ""
        let whole = "\(sign)\(abs(hundredths) / 100)"
        if rest == 0 { return abs(hundredths) < 100 ? "0" : whole }
        return rest % 10 == 0 ? "\(whole).\(rest / 10)" : "\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// For text and attributes; what XML can't hold at all becomes U+FFFD.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n": result += " "
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
