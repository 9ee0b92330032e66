// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing

@testable import Boot

@Suite("The first processor starts")
struct StartStateTests {
    @Test(
        "with descriptors that say what its segment registers hold",
        arguments: [
            StartState.linux64(entry: 0x100_0200), .pvh(entry: 0x100_0000),
        ])
    func descriptors(_ start: StartState) throws {
        let table = start.gdt
        #expect(start.gdtBase == Layout.gdt && Int(start.gdtLimit) == table.count - 1)
        for register in [start.code, start.data, start.task] {
            let bytes = Array(table[Int(register.selector)..<Int(register.selector) + 8])
            let raw = try #require(bytes.field(0, UInt64.self))
            // SDM vol. 3, figure 3-8, read back.
            let limit = UInt32(raw & 0xFFFF | raw >> 32 & 0xF_0000)
            #expect((raw >> 55 & 1 != 0 ? limit << 12 | 0xFFF : limit) == register.limit)
            #expect(raw >> 16 & 0xFF_FFFF | raw >> 32 & 0xFF00_0000 == register.base)
            #expect(UInt8(raw >> 40 & 0xF) == register.type && (raw >> 44 & 1 != 0) == register.isCodeOrData)
            #expect(raw >> 47 & 1 == 1 && raw >> 45 & 3 == 0 && register.isPresent)
            #expect((raw >> 53 & 1 != 0) == register.isLong && (raw >> 54 & 1 != 0) == register.isBig)
        }
        #expect(Array(table[..<16]) == [UInt8](repeating: 0, count: 16))
    }

    @Test("in long mode, with the values that Linux's protocol wants")
    func linux64() {
        let start = StartState.linux64(entry: 0x100_0200)
        #expect(start.rip == 0x100_0200 && start.rsi == Layout.bootParams && start.rflags == 2)
        #expect(
            start.cr0 & 0x8000_0001 == 0x8000_0001 && start.cr4 == 0x20 && start.efer == 0x500 && start.cr3 == 0x9000)
        #expect(start.code.selector == 0x10 && start.data.selector == 0x18)
    }

    @Test("on tables that map each address below 4 GiB onto itself", arguments: [false, true])
    func identity(_ gigabytePages: Bool) throws {
        let base: UInt64 = 0x9000
        let bytes = IdentityMap.bytes(at: base, gigabytePages: gigabytePages)
        #expect(bytes.count == (gigabytePages ? 2 : 6) * 4096)
        func walk(_ address: UInt64) -> UInt64? {
            var table = base
            for shift in [39, 30, 21] as [UInt64] {
                guard let entry: UInt64 = bytes.field(table - base + (address >> shift & 511) * 8), entry & 3 == 3
                else { return nil }
                let frame = entry & 0xF_FFFF_FFFF_F000
                if entry & 0x80 != 0 { return frame | address & (1 << shift - 1) }
                table = frame
            }
            return nil
        }
        for address in stride(from: UInt64(0), to: 1 << 32, by: 0x1F_F123) { #expect(walk(address) == address) }
        #expect(walk(0xFFFF_FFFF) == 0xFFFF_FFFF && walk(1 << 32) == nil && walk(1 << 39) == nil)
    }
}
