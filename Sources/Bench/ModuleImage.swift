// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a kernel module's file keeps in memory: the sizes of its sections, without those of its initialisation.
///
/// A 64-bit ELF file, little-endian: System V ABI, "Sections".
struct ModuleImage: Equatable {
    private(set) var text = 0
    private(set) var readOnly = 0
    private(set) var data = 0

    /// nil for bytes that aren't such a file.
    init?(_ bytes: [UInt8]) {
        func number(_ at: Int, _ count: Int) -> Int? {
            guard at >= 0, count <= 8, at <= bytes.count - count else { return nil }
            let value = (0..<count).reduce(UInt64(0)) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) }
            return Int(exactly: value)
        }
        guard bytes.prefix(6) == [0x7F, 0x45, 0x4C, 0x46, 2, 1], let table = number(0x28, 8),
            let size = number(0x3A, 2),
            let count = number(0x3C, 2), let namesIndex = number(0x3E, 2), table <= bytes.count, size >= 64,
            let names = number(table + namesIndex * size + 0x18, 8)
        else { return nil }
        for header in stride(from: table, to: table + count * size, by: size) {
            guard let name = number(header, 4), let flags = number(header + 8, 8), let length = number(header + 0x20, 8)
            else { return nil }
            guard flags & Self.alloc != 0, length < 1 << 40, name <= bytes.count, names <= bytes.count else { continue }
            let isInit = bytes.dropFirst(names + name).starts(with: ".init".utf8)
            if isInit { continue }
            if flags & Self.execute != 0 {
                text += length
            } else if flags & Self.write != 0 {
                data += length
            } else {
                readOnly += length
            }
        }
    }

    /// SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR.
    private static let write = 1
    private static let alloc = 2
    private static let execute = 4
}
