// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86

/// Paging with two levels of 32-bit entries, and PAE's (SDM vol. 3, 4.3 and 4.4).
@Suite struct LegacyPagingTests {
    static let load: [UInt8] = [0xA1, 0x10, 0, 0x40, 0]  // mov eax, [0x400010]
    static let store: [UInt8] = [0xA3, 0x10, 0, 0x40, 0]  // mov [0x400010], eax

    /// The first 4 MiB identical, 0x400000 by a table at 0x22000 to 0x30000.
    private func twoLevels(_ code: [UInt8], entry: UInt64 = 0x30007) -> ProtectedGuest {
        var guest = ProtectedGuest(code)
        guest.memory[0x20000, 4] = 0x21007
        for page in 0..<1024 { guest.memory[0x21000 + 4 * page, 4] = UInt64(page << 12 | 7) }
        guest.memory[0x20004, 4] = 0x22007
        guest.memory[0x22000, 4] = entry
        guest.memory[0x30010, 4] = 0x1234_5678
        guest.processor.cr3 = 0x20000
        guest.processor.cr0 |= CR0.paging | CR0.writeProtect
        return guest
    }

    @Test func twoLevelsTranslateAndMark() {
        var guest = twoLevels(Self.load + Self.store)
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.registers[Register.rax] == 0x1234_5678)
        #expect(guest.memory[0x20004, 4] == 0x22027)
        #expect(guest.memory[0x22000, 4] == 0x30027)
        guest.processor.registers[Register.rax] = 5
        #expect(guest.stepWatched() == .retired)
        #expect(guest.memory[0x22000, 4] == 0x30067)
        #expect(guest.memory[0x30010, 4] == 5)
    }

    @Test func twoLevelsFault() {
        var absent = twoLevels(Self.load, entry: 0)
        #expect(absent.stepWatched() == .exception(.page(0)))
        #expect(absent.processor.faultAddress == 0x400010)
        var readOnly = twoLevels(Self.store, entry: 0x30005)
        #expect(readOnly.stepWatched() == .exception(.page(3)))
        var supervisor = twoLevels(Self.load, entry: 0x30003)
        supervisor.setPrivilege(3)
        #expect(supervisor.stepWatched() == .exception(.page(5)))
        var directory = twoLevels(Self.load)
        directory.memory[0x20004, 4] = 0
        #expect(directory.stepWatched() == .exception(.page(0)))
    }

    @Test func fourMiBPagesNeedPSE() {
        var guest = twoLevels(Self.load)
        guest.memory[0x20004, 4] = 0x87
        guest.memory[0x10, 4] = 0xCAFE
        guest.processor.cr4 |= CR4.pageSizeExtensions
        #expect(guest.stepWatched() == .retired)
        #expect(guest.processor.registers[Register.rax] == 0xCAFE)
        #expect(guest.memory[0x20004, 4] == 0xA7)
        // Without PSE the bit means nothing, and the entry leads to a table at 0.
        var table = twoLevels(Self.load)
        table.memory[0x20004, 4] = 0x87
        table.memory[0, 4] = 0x30007
        #expect(table.stepWatched() == .retired)
        #expect(table.processor.registers[Register.rax] == 0x1234_5678)
        // Bit 21 is reserved.
        var reserved = twoLevels(Self.load)
        reserved.memory[0x20004, 4] = 0x20_0087
        reserved.processor.cr4 |= CR4.pageSizeExtensions
        #expect(reserved.stepWatched() == .exception(.page(9)))
    }

    /// The first 2 MiB identical, 0x400000 by a table at 0x23000 to 0x30000; code starts with MOV CR3, EBX.
    private func extended(_ code: [UInt8], entry: UInt64 = 0x30007) -> ProtectedGuest {
        var guest = ProtectedGuest([0x0F, 0x22, 0xDB] + code)
        guest.memory[0x20000, 8] = 0x21001
        guest.memory[0x21000, 8] = 0x87
        guest.memory[0x21010, 8] = 0x23007
        guest.memory[0x23000, 8] = entry
        guest.memory[0x30010, 4] = 0x1234_5678
        guest.processor.registers[Register.rbx] = 0x20000
        guest.processor.cr3 = 0x20000
        guest.processor.cr4 |= CR4.physicalAddressExtension
        guest.processor.efer = EFER.noExecute
        guest.processor.pageDirectoryPointers[0] = 0x21001
        guest.processor.cr0 |= CR0.paging | CR0.writeProtect
        return guest
    }

    @Test func extendedTablesTranslateAndMark() {
        var guest = extended(Self.load + Self.store)
        for _ in 0..<3 { #expect(guest.stepWatched() == .retired) }
        #expect(guest.processor.registers[Register.rax] == 0x1234_5678)
        #expect(guest.memory[0x23000, 8] == 0x30067)
        #expect(guest.memory[0x21010, 8] == 0x23027)
        // The pointers have no accessed bit.
        #expect(guest.memory[0x20000, 8] == 0x21001)
    }

    @Test func extendedTablesFault() {
        func outcome(_ code: [UInt8], entry: UInt64) -> Outcome {
            var guest = extended(code, entry: entry)
            #expect(guest.stepWatched() == .retired)
            return guest.stepWatched()
        }
        #expect(outcome(Self.load, entry: 0) == .exception(.page(0)))
        #expect(outcome(Self.store, entry: 0x30005) == .exception(.page(3)))
        #expect(outcome(Self.load, entry: 0x30007 | 1 << 45) == .exception(.page(9)))
        #expect(outcome(Self.load, entry: 0x30007 | 1 << 60) == .exception(.page(9)))
        // jmp 0x400000
        let jump: [UInt8] = [0xE9, 0xF8, 0xEF, 0x3F, 0]
        var noExecute = extended(jump, entry: 0x30007 | 1 << 63)
        for _ in 0..<2 { #expect(noExecute.stepWatched() == .retired) }
        #expect(noExecute.processor.rip == 0x400000)
        #expect(noExecute.stepWatched() == .exception(.page(0x11)))
        // An absent pointer.
        var beyond = extended([0xA1, 0, 0, 0, 0x40])  // mov eax, [0x40000000]
        #expect(beyond.stepWatched() == .retired)
        #expect(beyond.stepWatched() == .exception(.page(0)))
    }

    @Test func pointersAreTakenWhenCR3IsLoaded() {
        var guest = extended(Self.load)
        guest.memory[0x20000, 8] = 0
        // In memory there is none: the load's next fetch faults.
        #expect(guest.stepWatched() == .retired)
        #expect(guest.stepWatched() == .exception(.page(0x10)))
        var reserved = extended(Self.load)
        reserved.memory[0x20008, 8] = 0x21003
        #expect(reserved.stepWatched() == .exception(.general()))
        #expect(reserved.processor.pageDirectoryPointers[1] == 0)
        // Without CR3 being loaded, what memory says doesn't count.
        var kept = extended(Self.load)
        kept.memory[0x20000, 8] = 0
        kept.processor.rip += 3
        #expect(kept.stepWatched() == .retired)
    }

    @Test func supervisorModeExecutionPreventionHoldsHereToo() {
        var guest = twoLevels([0x90])
        guest.processor.cr4 |= CR4.smep
        #expect(guest.stepWatched() == .exception(.page(0x11)))
    }
}
