// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Testing
import X86

/// SMEP, SMAP and alignment checks.
@Suite struct ProtectionTests {
    static let load: [UInt8] = [0x48, 0x8B, 0x07]  // mov rax, [rdi]

    /// Supervisor code at 0x1000 under SMEP and SMAP, with its stack and tables the supervisor's; RDI at a user page.
    private func supervisor(_ code: [UInt8]) -> LongModeGuest {
        var guest = LongModeGuest(code)
        for page in [0x1000, 0x4000, 0x5000, 0x6000, 0x8000, 0x9000, 0xA000, 0xB000] { guest.page(page, clear: 4) }
        guest.processor.cr4 |= CR4.smep | CR4.smap
        guest.processor.registers[Register.rdi] = 0x40000
        guest.processor.interceptedExceptions = .max
        return guest
    }

    @Test func STACOpensUserPagesAndCLACClosesThem() {
        var guest = supervisor([0x0F, 0x01, 0xCB] + Self.load + [0x0F, 0x01, 0xCA] + Self.load)
        for _ in 0..<3 { #expect(guest.processor.step() == .retired) }
        #expect(guest.processor.step() == .exception(.page(1)))
        #expect(guest.processor.faultAddress == 0x40000)
    }

    @Test func theyAreUndefinedForUsersAndWithoutSMAP() {
        var user = LongModeGuest([0x0F, 0x01, 0xCB])
        user.setPrivilege(3)
        user.processor.cr4 |= CR4.smap
        user.processor.interceptedExceptions = .max
        #expect(user.processor.step() == .exception(.undefinedInstruction))
        var without = LongModeGuest([0x0F, 0x01, 0xCB])
        without.processor.interceptedExceptions = .max
        #expect(without.processor.step() == .exception(.undefinedInstruction))
    }

    @Test func tablesInUserPagesAreBarredWhateverAC() {
        // mov ds, ax reads the GDT on the supervisor's behalf.
        for flags in [0, Flag.alignmentCheck] {
            var guest = supervisor([0x8E, 0xD8])
            guest.page(LongModeGuest.gdt, set: 4)
            guest.processor.flags |= flags
            guest.processor.registers[Register.rax] = 0x10
            #expect(guest.processor.step() == .exception(.page(1)))
            #expect(guest.processor.faultAddress == UInt64(LongModeGuest.gdt + 0x10))
        }
    }

    @Test func pushesToUserPagesAreBarred() {
        var guest = supervisor([0x50])
        guest.processor.registers[Register.rsp] = 0x40100
        #expect(guest.processor.step() == .exception(.page(3)))
    }

    @Test func ACDoesNotOpenExecution() {
        var guest = supervisor([0xFF, 0xE7])  // jmp rdi
        guest.processor.flags |= Flag.alignmentCheck
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.step() == .exception(.page(0x11)))
    }

    @Test func usersAreNotConcerned() {
        var guest = LongModeGuest(Self.load)
        guest.setPrivilege(3)
        guest.processor.cr4 |= CR4.smep | CR4.smap
        guest.processor.registers[Register.rdi] = 0x40000
        #expect(guest.processor.step() == .retired)
        #expect(guest.processor.rip == 0x1003)
    }

    @Test(
        arguments: [
            (0x40001, 3, true, Flag.alignmentCheck, true), (0x40008, 3, true, Flag.alignmentCheck, false),
            (0x40001, 3, false, Flag.alignmentCheck, false), (0x40001, 3, true, 0, false),
            (0x40001, 0, true, Flag.alignmentCheck, false),
        ] as [(UInt64, UInt8, Bool, UInt64, Bool)])
    func alignmentIsCheckedForUsersWhoAsk(address: UInt64, privilege: UInt8, mask: Bool, flags: UInt64, faults: Bool) {
        for code in [Self.load, [0x48, 0x89, 0x07]] {
            var guest = LongModeGuest(code)
            guest.setPrivilege(privilege)
            if mask { guest.processor.cr0 |= CR0.alignmentMask }
            guest.processor.flags |= flags
            guest.processor.registers[Register.rdi] = address
            guest.processor.interceptedExceptions = .max
            let fault = ProcessorException(vector: ProcessorException.alignmentCheck, errorCode: 0)
            #expect(guest.processor.step() == (faults ? .exception(fault) : .retired))
        }
    }
}
