// SPDX-License-Identifier: MIT OR GPL-2.0-only
@testable import X86

/// 64 KiB of RAM with all that a kernel keeps there: page tables of each shape, descriptors, a TSS, handlers. Above it are devices, some of
/// which refuse every access.
@safe final class SmallMemory: Bus {
    static let size = 0x10000
    static let code = 0x1000
    static let data: UInt64 = 0xA000
    static let stack: UInt64 = 0xBF00
    static let kernelStack: UInt64 = 0xE700
    static let handlers = 0xE800
    static let (root, pointers, directory, table) = (0x2000, 0x3000, 0x4000, 0x5000)
    static let (legacyDirectory, legacyTable) = (0x6000, 0x7000)
    static let (gdt, longIDT, protectedIDT, longTSS, tss) = (0x8000, 0x8800, 0x9000, 0x9400, 0x9500)

    private let ram = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
    private let fresh = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
    private var clock: UInt64 = 0
    private(set) var hasRefused = false
    /// A bit for each page that is no longer as in `fresh`: only those are restored and summed up.
    private var dirty = UInt32(bitPattern: -1)
    private var freshSums = InlineArray<16, UInt64>(repeating: 0)

    init() {
        unsafe fresh.initializeMemory(as: UInt8.self, repeating: 0)
        fillTables()
        fillDescriptors()
        for vector in 0..<64 {
            // Handlers return, or sleep.
            set(Self.handlers + 16 * vector, vector & 1 == 0 ? 0xF4 : 0xCF48, 2)
            set(4 * vector, UInt64(Self.handlers + 16 * vector), 4)
        }
        for offset in stride(from: 0, to: 0x1000, by: 8) {
            set(Int(Self.data) + offset, 0x9E37_79B9_7F4A_7C15 &* UInt64(offset + 1), 8)
        }
        for page in freshSums.indices { freshSums[page] = unsafe sum(fresh, page) }
    }

    private func set(_ address: Int, _ value: UInt64, _ size: Int) {
        for index in 0..<size {
            unsafe fresh[address + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
        }
    }

    /// The last page of both address spaces is `data`, so that accesses may go on at 0.
    private func fillTables() {
        let all: UInt64 = 7
        for index in [0, 511] { set(Self.root + 8 * index, UInt64(Self.pointers) | all, 8) }
        for index in [0, 3, 511] { set(Self.pointers + 8 * index, UInt64(Self.directory) | all, 8) }
        for index in [0, 511] { set(Self.directory + 8 * index, UInt64(Self.table) | all, 8) }
        set(Self.directory + 8, 0x87, 8)
        for index in [0, 1023] { set(Self.legacyDirectory + 4 * index, UInt64(Self.legacyTable) | all, 4) }
        set(Self.legacyDirectory + 4, 0x87, 4)
        for page in 0..<16 {
            var entry = UInt64(page << 12) | all
            switch page {
            case 12: entry &= ~2  // read-only, and not executable
            case 13: entry = 0
            case 14: entry &= ~4  // supervisor's
            case 15: entry = 0xFE00_0007  // a device
            default: break
            }
            set(Self.table + 8 * page, entry | (page == 12 ? 1 << 63 : 0), 8)
            set(Self.legacyTable + 4 * page, entry, 4)
        }
        set(Self.table + 8 * 16, 0xFD00_0007, 8)
        set(Self.table + 8 * 17, 0x0008_0000_0000_0007, 8)  // a reserved bit
        set(Self.table + 8 * 511, Self.data | all, 8)
        set(Self.legacyTable + 4 * 16, 0xFD00_0007, 4)
        set(Self.legacyTable + 4 * 1023, Self.data | all, 4)
    }

    /// Selectors: 8 code, 10 data, 18 user data, 20 user code of 64 bits, 28 TSS, 38 code of 32 bits, 40 of 16 bits, 48 user code of
    /// 32 bits, 50 call gate, 60 not present, 68 conforming, 70 expand-down, 78 LDT, 88 TSS of 32 bits, 90 task gate.
    private func fillDescriptors() {
        let descriptors: [UInt64] = [
            0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF,
            0x0000_8B00_9400_0067, 0, 0x00CF_9B00_0000_FFFF, 0x0000_9B00_0000_FFFF, 0x00CF_FB00_0000_FFFF,
            0x0000_EC01_0008_E800, 0, 0x00CF_1300_0000_FFFF, 0x00AF_9F00_0000_FFFF, 0x00CF_9700_0000_0FFF,
            0x0000_8200_8000_00FF, 0, 0x0000_8900_9500_0067, 0x0000_E500_0088_0000,
        ]
        for (index, value) in descriptors.enumerated() { set(Self.gdt + 8 * index, value, 8) }
        for vector in 0..<64 {
            let handler = UInt64(Self.handlers + 16 * vector)
            // Every fourth on a stack of its own, some trap gates, some for users.
            let attributes: UInt64 = (vector & 3 == 2 ? 0x8F00 : 0xEE00) | (vector & 4 != 0 ? 1 : 0)
            set(Self.longIDT + 16 * vector, handler & 0xFFFF | 8 << 16 | attributes << 32, 8)
            set(Self.protectedIDT + 8 * vector, handler & 0xFFFF | 0x38 << 16 | (attributes & ~0xFF) << 32, 8)
        }
        set(Self.longTSS + 4, Self.kernelStack, 8)
        set(Self.longTSS + 0x24, Self.kernelStack - 0x100, 8)
        set(Self.tss + 4, Self.kernelStack, 4)
        set(Self.tss + 8, 0x10, 4)
    }

    func reset() {
        for page in freshSums.indices where isDirty(page) {
            let range = page * 4096..<(page + 1) * 4096
            unsafe UnsafeMutableRawBufferPointer(rebasing: ram[range]).copyMemory(from: UnsafeRawBufferPointer(rebasing: fresh[range]))
        }
        dirty = 0
        clock = 0
        hasRefused = false
    }

    func place(_ code: UnsafeBufferPointer<UInt8>, at address: Int) {
        for index in code.indices { unsafe ram[address + index] = code[index] }
        for page in address / 4096...(address + code.count) / 4096 { dirty |= 1 << UInt32(page) }
    }

    private func isDirty(_ page: Int) -> Bool { dirty >> UInt32(page) & 1 != 0 }

    /// The same for the same contents, whichever pages were written on the way.
    var checksum: UInt64 {
        var total: UInt64 = 0
        for page in freshSums.indices where isDirty(page) { total &+= unsafe sum(ram, page) &- freshSums[page] }
        return total
    }

    private func sum(_ memory: UnsafeMutableRawBufferPointer, _ page: Int) -> UInt64 {
        guard let base = memory.baseAddress else { return 0 }
        var sum = UInt64(page)
        for offset in stride(from: page * 4096, to: (page + 1) * 4096, by: 8) {
            sum = unsafe (sum ^ base.load(fromByteOffset: offset, as: UInt64.self)) &* 0x9E37_79B9_7F4A_7C15
            sum ^= sum >> 29
        }
        return sum
    }

    private func isRefused(_ physical: UInt64) -> Bool {
        guard physical >> 24 == 0xFD else { return false }
        hasRefused = true
        return true
    }

    func page(_ request: PageRequest) -> PageAnswer {
        let page = request.physical & ~0xFFF
        if isRefused(page) { return .refused }
        guard page < UInt64(Self.size), let base = unsafe ram.baseAddress else { return .device }
        let number = UInt32(page >> 12)
        if request.access == .write { dirty |= 1 << number }
        return unsafe .memory(host: base + Int(page), allowed: isDirty(Int(number)) ? .all : [.read, .execute])
    }
    func readDevice(_ physical: UInt64, size: Int) -> UInt64? { isRefused(physical) ? nil : .max }
    func writeDevice(_ physical: UInt64, size: Int, value: UInt64) -> Bool { !isRefused(physical) }
    func readPort(_ port: UInt16, size: Int) -> UInt32? { port >> 8 == 0xFD && isRefused(0xFD00_0000) ? nil : .max }
    func writePort(_ port: UInt16, size: Int, value: UInt32) -> Bool { !(port >> 8 == 0xFD && isRefused(0xFD00_0000)) }
    func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult { Features.cpuid(leaf: leaf, subleaf: subleaf) }
    func readMSR(_ index: UInt32) -> UInt64? { index == 0x1B ? 0xFEE0_0900 : nil }
    func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool { index == 0x1B }
    func timeStampCounter() -> UInt64 {
        clock += 1
        return clock
    }
}
