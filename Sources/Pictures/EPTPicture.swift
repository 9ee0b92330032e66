// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// A VM's extended page tables as a picture: a column for each level, a card for each table, a line for each run of like entries.
public struct EPTPicture {
    /// The SVG file.
    public let text: String

    private static let margin = 24.0
    private static let top = 106.0

    /// - Parameter device: whose VM it is.
    public init(_ snapshot: EPTSnapshot, device: String) {
        let layout = EPTLayout(EPTTable(snapshot))
        let about = EPTText.title(snapshot, device: device)
        var svg = SVG()
        svg.text("Extended page tables", x: Self.margin, y: 36, style: "title")
        svg.text(about, x: Self.margin, y: 58, style: "about")
        Self.legend(&svg)
        // Links lie below cards.
        for card in layout.cards {
            for line in card.lines {
                guard let below = line.below.map({ layout.cards[$0] }) else { continue }
                svg.link(
                    x1: Self.margin + card.x + EPTLayout.cardWidth, y1: Self.top + card.y + line.y + line.height / 2,
                    x2: Self.margin + below.x, y2: Self.top + below.y + EPTLayout.headHeight / 2, style: "link")
            }
        }
        for card in layout.cards { Self.draw(card, snapshot.end, &svg) }
        // The title and the legend need their room however small the tree is.
        let width = max(layout.width, 1000) + 2 * Self.margin
        text = svg.document(
            width: width, height: Self.top + layout.height + Self.margin, title: "Extended page tables: \(about)",
            style: Self.style)
    }

    private static func draw(_ card: EPTLayout.Card, _ end: UInt64, _ svg: inout SVG) {
        let x = margin + card.x
        let y = top + card.y
        let table = card.table
        let last = min(table.address + EPTEntry.span(table.level) * 512, end)
        svg.rectangle(x: x, y: y, width: EPTLayout.cardWidth, height: card.height, style: "card", radius: 4)
        svg.text(table.name, x: x + 10, y: y + 16, style: "name")
        svg.text(range(table.address, last), x: x + 58, y: y + 16, style: "mono")
        for line in card.lines { draw(line, x, y + line.y, table, end, &svg) }
    }

    private static func draw(
        _ line: EPTLayout.Line, _ x: Double, _ y: Double, _ table: EPTTable, _ end: UInt64, _ svg: inout SVG
    ) {
        let width = EPTLayout.cardWidth
        guard case .item(let item) = line.content else {
            if case .omitted(let count) = line.content {
                svg.text("… \(count) more", x: x + 58, y: y + 15, style: "quiet")
            }
            return
        }
        let span = EPTEntry.span(table.level)
        let last = min(item.address + span * UInt64(item.count), end)
        let place = range(item.address, last)
        switch item.content {
        case .hole:
            svg.rectangle(
                x: x + 4, y: y + 2, width: width - 8, height: line.height - 4, style: "hole", radius: 3,
                tip: "\(place): nothing is mapped")
            svg.text(item.indices, x: x + 10, y: y + 15, style: "quiet")
            svg.text("hole, \(bytes(last - item.address))", x: x + 66, y: y + 15, style: "quiet")
        case .table(let entry, let below):
            svg.text(item.indices, x: x + 10, y: y + 15, style: "mono")
            let what = item.count == 1 ? below.name : "\(item.count) x \(below.name), all alike"
            svg.text("\(what) · \(entry.permissions)", x: x + 66, y: y + 15, style: "mono")
            badge("A", entry.isAccessed, x + width - 24, y + 3, &svg)
        case .leaf(let entry):
            svg.rectangle(
                x: x + 4, y: y + 2, width: width - 8, height: line.height - 4, style: "tint \(shade(entry))", radius: 3,
                tip: place)
            svg.rectangle(x: x + 4, y: y + 2, width: 5, height: line.height - 4, style: shade(entry), radius: 2)
            svg.text(item.indices, x: x + 13, y: y + 15, style: "mono")
            svg.text(place, x: x + 66, y: y + 15, style: "mono")
            let pages = item.count == 1 ? bytes(span) : "\(item.count) x \(bytes(span))"
            svg.text("\(pages) · \(entry.permissions) · \(memoryType(entry))", x: x + 66, y: y + 29, style: "mono")
            badge("A", entry.isAccessed, x + width - 44, y + 17, &svg)
            badge("D", entry.isDirty, x + width - 24, y + 17, &svg)
        }
    }

    private static func badge(_ letter: String, _ isSet: Bool, _ x: Double, _ y: Double, _ svg: inout SVG) {
        svg.rectangle(x: x, y: y, width: 16, height: 14, style: isSet ? "set" : "clear", radius: 3)
        svg.text(letter, x: x + 8, y: y + 11, style: isSet ? "letter" : "letter dim", anchor: .middle)
    }

    private static func legend(_ svg: inout SVG) {
        var x = margin
        for permissions in ["rwx", "r-x", "rw-", "r--", "--x"] {
            svg.rectangle(x: x, y: 74, width: 12, height: 12, style: shade(permissions), radius: 2)
            svg.text(permissions, x: x + 18, y: 84, style: "mono")
            x += 62
        }
        svg.rectangle(x: x, y: 73, width: 28, height: 14, style: "hole", radius: 3)
        svg.text("nothing mapped", x: x + 36, y: 84, style: "label")
        x += 152
        badge("A", true, x, 73, &svg)
        svg.text("accessed", x: x + 22, y: 84, style: "label")
        badge("D", true, x + 90, 73, &svg)
        svg.text("dirty", x: x + 112, y: 84, style: "label")
        badge("D", false, x + 156, 73, &svg)
        svg.text("not yet", x: x + 178, y: 84, style: "label")
    }

    private static func shade(_ entry: EPTEntry) -> String { shade(entry.permissions) }

    private static func shade(_ permissions: String) -> String {
        switch permissions {
        case "rwx", "r-x", "rw-", "r--", "--x": "p-" + permissions.replacing("-", with: "_")
        default: "p-other"
        }
    }

    /// Colours that people tell apart who see fewer of them (Okabe and Ito's set).
    private static let style = """
        .paper { fill: #ffffff }
        text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; fill: #1f2933 }
        .title { font-size: 20px; font-weight: 600 }
        .about, .label { fill: #52606d }
        .mono, .quiet, .letter { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 11px }
        .quiet { fill: #7b8794 }
        .name { font-weight: 600; font-size: 13px }
        .letter { font-size: 10px; font-weight: 600; fill: #ffffff }
        .dim { fill: #9aa5b1 }
        .card { fill: #ffffff; stroke: #cbd2d9; stroke-width: 1 }
        .link { fill: none; stroke: #9aa5b1; stroke-width: 1.5 }
        .hole { fill: #f8f9fa; stroke: #cbd2d9; stroke-dasharray: 4 3 }
        .set { fill: #3e4c59 }
        .clear { fill: none; stroke: #cbd2d9 }
        .tint { fill-opacity: 0.16 }
        .p-rwx { fill: #d55e00 }
        .p-r_x { fill: #0072b2 }
        .p-rw_ { fill: #009e73 }
        .p-r__ { fill: #e69f00 }
        .p-__x { fill: #cc79a7 }
        .p-other { fill: #7b8794 }
        """
}
