// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@Suite("Structs have the layout in Swift that they have in C")
struct LayoutTests {
    @Test("sizes and alignments")
    func sizes() {
        #expect(Set(swiftStructs) == Set(CView.structs))
        #expect(CView.structs.count >= 20)
    }

    @Test("offsets and sizes of fields, members of unions included")
    func fields() {
        let swift = Dictionary(uniqueKeysWithValues: swiftFields.map { ("\($0.structure).\($0.field)", $0) })
        for field in CView.fields {
            let name = "\(field.structure).\(field.field)"
            #expect(swift[name] == field, "\(name)")
        }
        #expect(swift.count == CView.fields.count)
        #expect(CView.fields.count >= 150)
    }
}
