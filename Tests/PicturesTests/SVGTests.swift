// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Testing

@testable import Pictures

@Suite("SVG files")
struct SVGTests {
    @Test func lengths() {
        #expect(
            [0, 1, -1, 0.5, 12.25, 12.256, 100.004, -0.5, -0.001].map { SVG.length($0) }
                == ["0", "1", "-1", "0.5", "12.25", "12.26", "100", "-0.5", "0"])
        #expect(SVG.length(.nan) == "0" && SVG.length(.infinity) == "0" && SVG.length(1e300) == "10000000")
    }

    @Test("whatever a text holds, the file is XML and says the same")
    func escaped() {
        var svg = SVG()
        let text = "a<b> & \"c\" 'd' \u{0}\u{1b}[0m \u{FFFF} é"
        svg.text(text, x: 0, y: 0, style: "a\"b")
        svg.rectangle(x: 1, y: 2, width: 3, height: 4, style: "x", radius: 1, tip: "1 < 2")
        svg.line(x1: 0, y1: 0, x2: 1, y2: 1, style: "x")
        svg.link(x1: 0, y1: 0, x2: 1, y2: 1, style: "x")
        let document = Document(svg.document(width: 10, height: 10, title: "<&>", style: ".x { fill: none }"))
        #expect(document.error == nil)
        #expect(document.texts == ["a<b> & \"c\" 'd' \u{FFFD}\u{FFFD}[0m \u{FFFD} é"])
        #expect(
            document.elements.map(\.name) == ["svg", "title", "style", "rect", "text", "rect", "title", "line", "path"])
    }

    @Test("page tables: a card for each table, a link to each but the root, every line there")
    func pageTables() {
        let document = Document(EPTPicture(Samples.small, device: "a <device>").text)
        #expect(document.error == nil)
        #expect(document.count("rect", style: "card") == 5)
        #expect(document.count("path", style: "link") == 4)
        #expect(document.outside == 0)
        // One of each in the legend.
        #expect(document.count("rect", style: "hole") == 1 + 5)
        #expect(document.count("rect", style: "p-rwx") == 1 + 2)
        #expect(document.count("rect", style: "p-r_x") == 1 + 1)
        #expect(document.count("rect", style: "p-rw_") == 1 + 1)
        for text in [
            "PML4", "PDPT", "0x0-0x1fff", "2 x 4 KiB · rwx · WB", "2 MiB · rw- · WB", "512 x 4 KiB · rwx · WB",
        ] {
            #expect(document.texts.contains(text), "\(text)")
        }
    }

    @Test("however large the tables are, the picture isn't")
    func large() {
        var entries = [Samples.table(4, 0)]
        for gigabyte: UInt64 in 0..<200 {
            entries.append(Samples.table(3, gigabyte << 30))
            for table: UInt64 in 0..<40 {
                let address = gigabyte << 30 + table << 21
                entries.append(Samples.table(2, address))
                // No two alike.
                for page: UInt64 in 0..<20 {
                    entries.append(Samples.leaf(1, address + (page << 13) + (table << 12 & 0x1000), 1, 7))
                }
                entries.append(Samples.leaf(1, address + 0x10_0000 + (table + gigabyte) << 12, 1, 5))
            }
        }
        let text = EPTPicture(Samples.snapshot(entries), device: "sim").text
        #expect(text.utf8.count < 1 << 20)
        let document = Document(text)
        #expect(document.error == nil && document.outside == 0)
        #expect(document.texts.contains { $0.hasPrefix("… ") })
    }

    @Test func nothingMapped() {
        let document = Document(EPTPicture(Samples.snapshot([]), device: "sim").text)
        #expect(document.error == nil && document.outside == 0)
        #expect(document.count("rect", style: "card") == 1)
    }
}
