// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Foundation
import FoundationXML

/// An SVG file as an XML parser sees it.
final class Document: NSObject, XMLParserDelegate {
    private(set) var elements: [(name: String, attributes: [String: String])] = []
    /// What `text` elements say.
    private(set) var texts: [String] = []
    private var isInText = false
    let error: String?

    init(_ text: String) {
        let parser = XMLParser(data: Data(text.utf8))
        let collector = Collector()
        parser.delegate = collector
        error = parser.parse() ? nil : "\(parser.parserError.map { "\($0)" } ?? "?") in line \(parser.lineNumber)"
        super.init()
        elements = collector.elements
        texts = collector.texts
    }

    func count(_ name: String, style: String? = nil) -> Int {
        elements.filter { $0.name == name && (style == nil || $0.attributes["class"] == style) }.count
    }

    /// Rectangles that reach out of the picture.
    var outside: Int {
        func number(_ attributes: [String: String], _ name: String) -> Double { Double(attributes[name] ?? "") ?? 0 }
        guard let picture = elements.first?.attributes else { return -1 }
        return elements.filter { element in
            guard element.name == "rect", element.attributes["class"] != "paper" else { return false }
            let (x, y) = (number(element.attributes, "x"), number(element.attributes, "y"))
            return x < 0 || y < 0 || x + number(element.attributes, "width") > number(picture, "width")
                || y + number(element.attributes, "height") > number(picture, "height")
        }.count
    }
}

private final class Collector: NSObject, XMLParserDelegate {
    var elements: [(name: String, attributes: [String: String])] = []
    var texts: [String] = []
    private var isInText = false

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        elements.append((name, attributes))
        isInText = name == "text"
        if isInText { texts.append("") }
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        isInText = false
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        if isInText { texts[texts.count - 1] += string }
    }
}
