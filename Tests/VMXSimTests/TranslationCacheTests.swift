// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXCases

@testable import VMXSim

/// What is cached is used until something ends it: a forgotten INVEPT is seen here.
@Suite struct TranslationCacheTests {
    private static let address = EPTCase.Layout.address
    private static let leaf = EPTCase.Layout.place(1, address)
    private static let directory = EPTCase.Layout.place(2, address)
    private let memory = EPTCase(entries: EPTCase.Layout.open, expected: .violation(0)).memory()
    private let processor: VMXProcessor
    private let pointer = EPTPointer(rawValue: 0x101E)

    init() {
        processor = Fixture.processor(memory: memory)
        processor.current?[.eptPointer] = pointer.rawValue
    }

    private func page(_ access: EPTAccess = .read, _ pointer: EPTPointer? = nil, at address: UInt64 = address)
        -> UInt64?
    {
        let outcome = processor.caches.translate(
            address, pointer ?? self.pointer, access, for: .linear(0x7000), memory: memory)
        if case .translated(let mapping) = outcome { return mapping.physical(address) }
        return nil
    }

    private func enter() {
        var msrs = TestMSRs()
        let launch = processor.current?.launchState == .clear
        let entry = processor.enter(launch: launch, msrs: &msrs)
        guard case .entered(let state, _) = entry else {
            Issue.record("\(entry) \(processor.refusals)")
            return
        }
        #expect(processor.exit(VMExit(.hlt), state, msrs: &msrs))
    }

    @Test func aChangedEntryIsStaleUntilINVEPT() {
        #expect(page() == 0x55_5123)
        memory.words[Self.leaf] = 0x66_6037
        #expect(page() == 0x55_5123)
        // VM entry and exit don't end guest-physical mappings, and INVVPID needn't either.
        enter()
        #expect(processor.invvpid(2, vpid: 0, linear: 0) == .succeed)
        #expect(page() == 0x55_5123)
        #expect(processor.invept(1, eptp: 0x101E) == .succeed)
        #expect(page() == 0x66_6123)
    }

    @Test func aRemovedEntryIsUsedUntilINVEPT() {
        #expect(page() == 0x55_5123)
        memory.words[Self.leaf] = 0
        #expect(page() == 0x55_5123)
        #expect(processor.invept(2, eptp: 0) == .succeed)
        #expect(page() == nil)
    }

    @Test func aCachedTableIsWalkedAfterItLeftTheTree() {
        #expect(page() == 0x55_5123)
        memory.words[Self.directory] = 0x5007
        memory.words[0x5000 + (Self.leaf & 0xFFF) + 8] = 0x77_7037
        memory.words[Self.leaf + 8] = 0x66_6037
        // The neighbour was never looked up: its walk starts at the table that is no longer there.
        #expect(page(at: Self.address + 0x1000) == 0x66_6123)
        #expect(processor.invept(1, eptp: 0x101E) == .succeed)
        #expect(page(at: Self.address + 0x1000) == 0x77_7123)
    }

    @Test func otherTreesKeepTheirs() {
        #expect(page() == 0x55_5123)
        memory.words[Self.leaf] = 0x66_6037
        #expect(processor.invept(1, eptp: 0x901E) == .succeed)
        #expect(page() == 0x55_5123)
        // The tag is the top table alone: the A/D bit of the pointer isn't part of it.
        #expect(processor.invept(1, eptp: 0x105E) == .succeed)
        #expect(page() == 0x66_6123)
    }

    @Test func moreRightsNeedNoInvalidation() {
        memory.words[Self.leaf] = 0x55_5031
        #expect(page() == 0x55_5123)
        #expect(page(.write) == nil)
        memory.words[Self.leaf] = 0x55_5033
        #expect(page(.write) == 0x55_5123)
    }

    @Test func fewerRightsDo() {
        #expect(page(.write) == 0x55_5123)
        memory.words[Self.leaf] = 0x55_5031
        #expect(page(.write) == 0x55_5123)
        #expect(processor.invept(1, eptp: 0x101E) == .succeed)
        #expect(page(.write) == nil)
    }

    @Test func aViolationEndsItsOwnTranslation() {
        memory.words[Self.leaf] = 0x55_5031
        #expect(page() == 0x55_5123)
        memory.words[Self.leaf] = 0x66_6031
        #expect(page(.write) == nil)
        #expect(page() == 0x66_6123)
    }

    @Test func theDirtyFlagIsSetByTheFirstWriteAlthoughTheReadIsCached() {
        let flagged = EPTPointer(rawValue: 0x105E)
        #expect(page(.read, flagged) == 0x55_5123)
        #expect(memory.words[Self.leaf] == 0x55_5137)
        #expect(page(.write, flagged) == 0x55_5123)
        #expect(memory.words[Self.leaf] == 0x55_5337)
        // A cleared flag stays clear as long as the translation is cached: software must invalidate.
        memory.words[Self.leaf] = 0x55_5037
        #expect(page(.write, flagged) == 0x55_5123)
        #expect(memory.words[Self.leaf] == 0x55_5037)
    }

    @Test func theSizeIsBounded() {
        for index in 0..<512 as Range<UInt64> { memory.words[0x4000 + index * 8] = 0x37 | index << 12 }
        // Without its type the compiler compares AnyHashables, in a way that the address sanitizer objects to.
        let first: UInt64 = 4 << 12 | 0x123
        #expect(page() == first)
        memory.words[Self.leaf] = 0x66_6037
        // The same slot, a mapping capacity further on, takes its place.
        let other = Self.address + UInt64(TranslationCaches.mappingCapacity) << 12
        memory.words[EPTCase.Layout.place(2, other)] = 0x4007
        #expect(page(at: other) == 0x66_6123)
        #expect(page() == 0x66_6123)
    }

    // Combined mappings are the interpreter's; which of them must go is told by context.

    @Test func invalidationsNameTheContextsThatTheyEnd() throws {
        let vmcs = try #require(processor.current)
        enter()
        let first = processor.caches.context
        vmcs[.vpid] = 2
        enter()
        let second = processor.caches.context
        #expect(first != second)
        _ = processor.caches.takeForgotten()

        #expect(processor.invvpid(1, vpid: 2, linear: 0) == .succeed)
        #expect(processor.caches.takeForgotten() == [.context(second)])
        #expect(processor.invvpid(3, vpid: 1, linear: 0) == .succeed)
        #expect(processor.caches.takeForgotten() == [.contextKeepingGlobals(first)])
        #expect(processor.invvpid(0, vpid: 1, linear: 0x5000) == .succeed)
        #expect(processor.caches.takeForgotten() == [.address(context: first, linear: 0x5000)])
        #expect(processor.invvpid(2, vpid: 0, linear: 0) == .succeed)
        #expect(processor.caches.takeForgotten().count == 2)
        #expect(processor.invept(1, eptp: pointer.rawValue) == .succeed)
        #expect(processor.caches.takeForgotten().count == 2)
        #expect(processor.invept(1, eptp: 0x901E) == .succeed)
        #expect(processor.caches.takeForgotten().isEmpty)
    }

    @Test func withoutVPIDNothingSurvivesATransition() throws {
        let vmcs = try #require(processor.current)
        vmcs[.proc2Controls] = 0x82
        enter()
        let context = processor.caches.context
        _ = processor.caches.takeForgotten()
        enter()
        #expect(processor.caches.takeForgotten() == [.context(context), .context(context)])
    }

    @Test func contextsAreReusedOnlyAfterTheyAreForgotten() throws {
        let vmcs = try #require(processor.current)
        for vpid in 1...65 as ClosedRange<UInt64> {
            vmcs[.vpid] = vpid
            enter()
        }
        #expect(processor.caches.takeForgotten() == [.context(0)])
        #expect(processor.caches.context == 0)
    }

    @Test func processContextsAreApart() throws {
        enter()
        let zero = processor.caches.context
        processor.caches.select(pcid: 5)
        #expect(processor.caches.context != zero)
        processor.caches.select(pcid: 0)
        #expect(processor.caches.context == zero)
    }
}
