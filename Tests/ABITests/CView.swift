// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CABITables

/// What C's compiler says of the ABI.
enum CView {
    struct Value: Hashable {
        let table: String
        let name: String
        let value: UInt64
        let third: String
        let fourth: String
    }

    static let values: [Value] = unsafe all(lkx_abi_value_at).map { entry in
        unsafe Value(
            table: String(cString: entry.table), name: String(cString: entry.name), value: entry.value,
            third: String(cString: entry.third), fourth: String(cString: entry.fourth))
    }

    static let structs: [Struct] = unsafe all(lkx_abi_struct_at).map { entry in
        unsafe Struct(name: String(cString: entry.name), size: entry.size, alignment: entry.alignment)
    }

    static let fields: [Field] = unsafe all(lkx_abi_field_at).map { entry in
        unsafe Field(
            structure: String(cString: entry.structure), field: String(cString: entry.field), offset: entry.offset,
            size: entry.size)
    }

    static func table(_ name: String) -> Set<Value> { Set(values.filter { $0.table == name }) }

    @unsafe private static func all<Element>(_ at: (Int) -> UnsafePointer<Element>?) -> [Element] {
        var elements: [Element] = []
        while let element = unsafe at(elements.count) { unsafe elements.append(element.pointee) }
        return elements
    }
}
