// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86

@Suite struct PagingTests {
    static let store: [UInt8] = [0x48, 0x89, 0x07]  // mov [rdi], rax
    static let load: [UInt8] = [0x48, 0x8B, 0x07]  // mov rax, [rdi]

    /// Steps once with RDI = 0x40000 and gives the outcome.
    private func access(
        _ code: [UInt8], privilege: UInt8 = 0, set: UInt64 = 0, clear: UInt64 = 0, cr0Clear: UInt64 = 0, cr4: UInt64 = 0,
        flags: UInt64 = 0
    ) -> Outcome {
        var guest = LongModeGuest(code)
        guest.setPrivilege(privilege)
        guest.page(0x40000, set: set, clear: clear)
        guest.processor.cr0 &= ~cr0Clear
        guest.processor.cr4 |= cr4
        guest.processor.flags |= flags
        guest.processor.interceptedExceptions = 1 << 14
        guest.processor.registers[Register.rdi] = 0x40000
        // User pages would stop the supervisor's own code under SMEP and SMAP.
        if privilege == 0 { guest.page(0x1000, clear: 4) }
        return guest.processor.step()
    }

    @Test func errorCodes() {
        #expect(access(Self.load) == .retired)
        #expect(access(Self.load, clear: 1) == .exception(.page(0)))
        #expect(access(Self.store, clear: 1) == .exception(.page(2)))
        #expect(access(Self.load, privilege: 3, clear: 4) == .exception(.page(5)))
        #expect(access(Self.store, privilege: 3, clear: 2) == .exception(.page(7)))
        #expect(access(Self.load, set: 1 << 45) == .exception(.page(9)))
    }

    @Test func writeProtectBindsTheSupervisorOnlyWhenSet() {
        #expect(access(Self.store, clear: 2) == .exception(.page(3)))
        #expect(access(Self.store, clear: 2, cr0Clear: CR0.writeProtect) == .retired)
    }

    @Test func supervisorModeAccessPrevention() {
        #expect(access(Self.load, cr4: CR4.smap) == .exception(.page(1)))
        #expect(access(Self.load, cr4: CR4.smap, flags: Flag.alignmentCheck) == .retired)
        #expect(access(Self.load, clear: 4, cr4: CR4.smap) == .retired)
    }

    @Test func executionIsPrevented() {
        var guest = LongModeGuest([0x90])
        guest.processor.interceptedExceptions = 1 << 14
        guest.page(0x1000, set: 1 << 63)
        #expect(guest.processor.step() == .exception(.page(0x11)))
        var supervisor = LongModeGuest([0x90])
        supervisor.processor.interceptedExceptions = 1 << 14
        supervisor.processor.cr4 |= CR4.smep
        #expect(supervisor.processor.step() == .exception(.page(0x11)))
    }

    @Test func accessedAndDirtyBits() {
        var guest = LongModeGuest(Self.load + Self.store)
        guest.processor.registers[Register.rdi] = 0x40000
        let entry = LongModeGuest.leafTable + 8 * 0x40
        #expect(guest.processor.step() == .retired)
        #expect(guest.memory[entry, 8] & 0x60 == 0x20)
        #expect(guest.processor.step() == .retired)
        #expect(guest.memory[entry, 8] & 0x60 == 0x60)
    }

    @Test func translationsStayUntilTheyAreInvalidated() {
        // mov rax, [rdi] twice, invlpg [rdi], mov rax, [rdi]
        var guest = LongModeGuest(Self.load + Self.load + [0x0F, 0x01, 0x3F] + Self.load)
        guest.processor.interceptedExceptions = 1 << 14
        guest.processor.registers[Register.rdi] = 0x40000
        #expect(guest.processor.step() == .retired)
        guest.page(0x40000, clear: 1)
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.step() == .exception(.page(0)))
        #expect(guest.processor.faultAddress == 0x40000)
    }

    @Test func aStoreAcrossPagesWritesNothingIfTheSecondFaults() {
        var guest = LongModeGuest(Self.store)
        guest.processor.interceptedExceptions = 1 << 14
        guest.processor.registers[Register.rax] = .max
        guest.processor.registers[Register.rdi] = 0x40FFC
        guest.page(0x41000, clear: 1)
        #expect(guest.processor.step() == .exception(.page(2)))
        #expect(guest.processor.faultAddress == 0x41000)
        #expect(guest.memory[0x40FF8, 8] == 0)
    }

    @Test func changedCodeIsDecodedAgain() {
        // mov byte [rip+0], 0x40 changes the next instruction's REX.B: inc r8 becomes inc rax.
        var guest = LongModeGuest([0xC6, 0x05, 0, 0, 0, 0, 0x48, 0x49, 0xFF, 0xC0])
        guest.processor.rip = 0x1007
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.registers[8] == 1)
        guest.processor.rip = 0x1000
        #expect(guest.processor.run(limit: 2) == .retired)
        #expect(guest.processor.registers[Register.rax] == 1)
        #expect(guest.processor.registers[8] == 1)
    }
}
