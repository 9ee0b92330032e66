// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A struct as Swift sees it.
struct Struct: Hashable {
    let name: String
    let size: Int
    let alignment: Int

    init(name: String, size: Int, alignment: Int) {
        self.name = name
        self.size = size
        self.alignment = alignment
    }

    init<Value>(_ type: Value.Type) {
        self.init(name: "\(type)", size: MemoryLayout<Value>.stride, alignment: MemoryLayout<Value>.alignment)
    }
}

/// A field as Swift sees it: found by writing ones to it in a struct of zeros, which works for members of
/// unions too, and shows where a write of Swift's really goes.
struct Field: Hashable {
    let structure: String
    let field: String
    let offset: Int
    let size: Int

    init(structure: String, field: String, offset: Int, size: Int) {
        self.structure = structure
        self.field = field
        self.offset = offset
        self.size = size
    }

    init<Root, Value>(_ name: String, _ path: WritableKeyPath<Root, Value>) {
        let size = MemoryLayout<Root>.size
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: MemoryLayout<Root>.alignment)
        defer { unsafe memory.deallocate() }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        let root = unsafe memory.baseAddress!.assumingMemoryBound(to: Root.self)
        var value = unsafe root.pointee[keyPath: path]
        unsafe withUnsafeMutableBytes(of: &value) { unsafe _ = $0.initializeMemory(as: UInt8.self, repeating: 0xff) }
        unsafe root.pointee[keyPath: path] = value
        let written = memory.indices.filter { unsafe memory[$0] == 0xff }
        // All of it, in one piece: anything else shows as a size that C doesn't have.
        let first = written.first ?? -1
        let last = written.last ?? -2
        self.init(
            structure: "\(Root.self)", field: name, offset: first,
            size: last - first + 1 == written.count ? written.count : -1)
    }
}
