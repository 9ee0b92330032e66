// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXCases

@testable import VMXSim

/// SDM vol. 3, 28.3.6 "Page-Modification Logging".
@Suite struct PageModificationLogTests {
    private static let address = EPTCase.Layout.address
    private static let page = address & ~0xFFF
    private static let log: UInt64 = 0x9000
    private static let leaf = EPTCase.Layout.place(1, address)
    private let memory = EPTCase(entries: EPTCase.Layout.open, expected: .violation(0)).memory()
    private let vmcs = VMCS()
    private let pointer = EPTPointer(rawValue: EPTCase.Layout.top | 0x5E)

    init() {
        vmcs[.procControls] = ProcControl.secondaryControls.mask
        vmcs[.proc2Controls] = Proc2Control.enableEpt.mask | Proc2Control.enablePml.mask
        vmcs[.pmlAddress] = Self.log
        vmcs[.pmlIndex] = 511
    }

    private func translate(
        _ access: EPTAccess, _ pointer: EPTPointer? = nil, for purpose: EPTPurpose = .linear(0x7000), at address: UInt64 = address
    ) -> EPTOutcome {
        EPTWalker(.skylakeX, memory: memory).translate(
            address, pointer ?? self.pointer, access, for: purpose, log: PageModificationLog(vmcs, memory))
    }

    private func entry(_ index: UInt64) -> UInt64? { memory.words[Self.log + 8 * index] }

    @Test func aDirtyFlagThatBecomesOneIsLogged() {
        #expect(translate(.read) != .logFull && vmcs[.pmlIndex] == 511)
        #expect(translate(.write) != .logFull && vmcs[.pmlIndex] == 510 && entry(511) == Self.page)
        // It is one now.
        #expect(translate(.write) != .logFull && vmcs[.pmlIndex] == 510)
        memory.words[Self.leaf]! &= ~0x200
        #expect(translate([.read, .write]) != .logFull && vmcs[.pmlIndex] == 509 && entry(510) == Self.page)
    }

    /// With the flags, walks write.
    @Test func guestPagingStructuresAreLogged() {
        #expect(translate(.read, for: .tableWalk(0x7000)) != .logFull)
        #expect(vmcs[.pmlIndex] == 510 && entry(511) == Self.page)
    }

    /// 2 MiB: of the page it is the 4 KiB that were written.
    @Test func aLargePage() {
        memory.words[EPTCase.Layout.place(2, Self.address)] = 0x40_00B7
        #expect(translate(.write) != .logFull && entry(511) == Self.page)
        #expect(translate(.write, at: Self.address + 0x1000) != .logFull && vmcs[.pmlIndex] == 510)
    }

    @Test func theLastEntryIsTheFirst() {
        vmcs[.pmlIndex] = 0
        #expect(translate(.write) != .logFull && entry(0) == Self.page && vmcs[.pmlIndex] == 0xFFFF)
    }

    /// Nothing happens then, neither flag nor entry; what needs no flag set does.
    @Test(arguments: [512, 0x8000, 0xFFFF] as [UInt64]) func aFullLog(index: UInt64) {
        vmcs[.pmlIndex] = index
        memory.forgetLog()
        #expect(translate(.read) == .logFull && translate(.write) == .logFull)
        #expect(memory.stores.isEmpty && vmcs[.pmlIndex] == index)
        for level in 1...4 { memory.words[EPTCase.Layout.place(level, Self.address)]! |= 0x100 }
        #expect(translate(.read) != .logFull && translate(.write) == .logFull && vmcs[.pmlIndex] == index)
        memory.words[Self.leaf]! |= 0x200
        #expect(translate(.write) != .logFull && vmcs[.pmlIndex] == index)
    }

    /// What is not allowed is a violation, log or no log.
    @Test func aViolationComesFirst() {
        vmcs[.pmlIndex] = 0xFFFF
        memory.words[Self.leaf] = 0x55_5031
        #expect(translate(.write) == .violation(qualification: 0x18A))
    }

    @Test func withoutTheFlagsOrTheControlThereIsNoLog() {
        #expect(translate(.write, EPTPointer(rawValue: EPTCase.Layout.top | 0x1E)) != .logFull && vmcs[.pmlIndex] == 511)
        vmcs[.pmlIndex] = 0xFFFF
        vmcs[.proc2Controls] = Proc2Control.enableEpt.mask
        #expect(translate(.write) != .logFull && vmcs[.pmlIndex] == 0xFFFF)
        vmcs[.proc2Controls] |= Proc2Control.enablePml.mask
        vmcs[.procControls] = 0
        #expect(PageModificationLog(vmcs, memory) == nil)
    }

    /// A translation that is cached with its flag set is used, whatever its entry says, until INVEPT.
    @Test func aFlagThatWasClearedIsLoggedAfterINVEPT() {
        let processor = Fixture.processor(memory: memory)
        func write() {
            let outcome = processor.caches.translate(
                Self.address, pointer, .write, for: .linear(0x7000), log: PageModificationLog(vmcs, memory), memory: memory)
            guard case .translated = outcome else {
                Issue.record("\(outcome)")
                return
            }
        }
        write()
        memory.words[Self.leaf]! &= ~0x200
        write()
        #expect(vmcs[.pmlIndex] == 510)
        #expect(processor.invept(1, eptp: pointer.rawValue) == .succeed)
        write()
        #expect(vmcs[.pmlIndex] == 509)
    }
}
