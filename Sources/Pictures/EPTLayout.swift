// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

/// Where each table of a VM stands in its picture: a card in its level's column, below the cards before it, beside its parent.
struct EPTLayout {
    static let cardWidth = 282.0
    static let columnGap = 58.0
    static let cardGap = 14.0
    static let headHeight = 24.0
    /// A picture has no more lines: nobody would read them.
    static let lineLimit = 800
    /// Entries of a table that are shown when it has more than two more: so many of the first, and the last two.
    static let shownFirst = 14

    struct Line {
        enum Content {
            case item(EPTTable.Item)
            /// So many lines are left out.
            case omitted(Int)
        }

        let content: Content
        /// From the top of the card.
        let y: Double
        let height: Double
        /// The card of the table that it names.
        var below: Int?
    }

    struct Card {
        let table: EPTTable
        let column: Int
        let y: Double
        var height: Double
        var lines: [Line]

        var x: Double { Double(column) * (EPTLayout.cardWidth + EPTLayout.columnGap) }
    }

    private(set) var cards: [Card] = []
    private(set) var height = 0.0
    private var linesLeft = lineLimit

    var width: Double { (cards.map(\.x).max() ?? 0) + Self.cardWidth }

    init(_ root: EPTTable) { height = add(root, y: 0) }

    /// Adds a table and all below it; the height of both together.
    private mutating func add(_ table: EPTTable, y: Double) -> Double {
        let number = cards.count
        cards.append(Card(table: table, column: 4 - table.level, y: y, height: Self.headHeight, lines: []))
        var lines = Self.contents(table)
        if lines.count > linesLeft { lines = [.omitted(table.items.count)] }
        linesLeft -= lines.count
        var cardHeight = Self.headHeight
        var belowHeight = 0.0
        for content in lines {
            var line = Line(content: content, y: cardHeight, height: Self.lineHeight(content))
            if case .item(let item) = content, case .table(_, let below) = item.content {
                if belowHeight > 0 { belowHeight += Self.cardGap }
                line.below = cards.count
                belowHeight += add(below, y: y + belowHeight)
            }
            cardHeight += line.height
            cards[number].lines.append(line)
        }
        cards[number].height = cardHeight
        return max(cardHeight, belowHeight)
    }

    private static func contents(_ table: EPTTable) -> [Line.Content] {
        let items = table.items.map(Line.Content.item)
        guard items.count > shownFirst + 3 else { return items }
        return items.prefix(shownFirst) + [.omitted(items.count - shownFirst - 2)] + items.suffix(2)
    }

    private static func lineHeight(_ content: Line.Content) -> Double {
        if case .item(let item) = content, case .leaf = item.content { return 36 }
        return 22
    }
}
