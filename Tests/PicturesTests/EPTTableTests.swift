// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Testing

@testable import Pictures

@Suite("The tree of a VM's page tables")
struct EPTTableTests {
    @Test("nothing mapped: the root is one hole, as large as addresses are")
    func empty() {
        let root = EPTTable(Samples.snapshot([]))
        #expect(root.name == "PML4")
        // 39 bits end with the first entry of 512.
        #expect(root.items == [.init(content: .hole, index: 0, count: 1, address: 0)])
        let wide = EPTTable(Samples.snapshot([], frames: 1 << 36))
        #expect(wide.items == [.init(content: .hole, index: 0, count: 512, address: 0)])
    }

    private func below(_ item: EPTTable.Item) -> EPTTable? {
        if case .table(_, let table) = item.content { table } else { nil }
    }

    @Test("tables hold runs and the holes between them")
    func runs() throws {
        let pdpt = try #require(below(EPTTable(Samples.small).items[0]))
        #expect(pdpt.items.map(\.indices) == ["0", "1-511"])
        let pd = try #require(below(pdpt.items[0]))
        #expect(pd.items.map(\.indices) == ["0", "1", "2", "3", "4-511"])
        #expect(pd.items[2].content == .hole)
        let pt = try #require(below(pd.items[0]))
        #expect(pt.items.map(\.indices) == ["0-1", "2-4", "5", "6-511"])
        #expect(pt.items.map(\.address) == [0, 0x2000, 0x5000, 0x6000])
        let full = try #require(below(pd.items[3]))
        #expect(full.items.map(\.indices) == ["0-511"])
    }

    @Test("neighbours that are alike are one, others aren't")
    func folded() throws {
        let large: UInt64 = 2 << 20
        var entries = [Samples.table(4, 0), Samples.table(3, 0)]
        for index: UInt64 in 0..<4 {
            entries += [Samples.table(2, index * large), Samples.leaf(1, index * large, 512, index == 3 ? 5 : 7)]
        }
        // The same contents again, but not beside the others.
        entries += [Samples.table(2, 8 * large), Samples.leaf(1, 8 * large, 512, 7)]
        let pdpt = try #require(below(EPTTable(Samples.snapshot(entries)).items[0]))
        let pd = try #require(below(pdpt.items[0]))
        #expect(pd.items.map(\.indices) == ["0-2", "3", "4-7", "8", "9-511"])
        #expect(pd.items.map { below($0) != nil } == [true, true, false, true, false])
    }

    @Test("a table below entries with other permissions is not alike")
    func entryBits() throws {
        let large: UInt64 = 2 << 20
        let entries = [
            Samples.table(4, 0), Samples.table(3, 0), Samples.table(2, 0), Samples.leaf(1, 0, 1, 7),
            Samples.table(2, large, 5), Samples.leaf(1, large, 1, 7),
        ]
        let pdpt = try #require(below(EPTTable(Samples.snapshot(entries)).items[0]))
        let pd = try #require(below(pdpt.items[0]))
        #expect(pd.items.map(\.indices) == ["0", "1", "2-511"])
    }
}
