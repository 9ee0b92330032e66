// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc
import TestRandom
import Testing

/// How what processors write down of modified pages gets into the dirty logs. DirtyLogTests has what a VMM sees of it.
@Suite struct PageModificationLogTests {
    private let logging: UInt32 = 1 << 0  // KVM_MEM_LOG_DIRTY_PAGES
    private let full: UInt16 = 0xFFFF, empty: UInt16 = 511

    /// Guest frames 0 to 1023 on the VMM's pages of these numbers, all present; slot 0.
    private func world(flags: UInt32 = 1) -> World {
        let world = World(pml: true)
        world.w.pointee.near = true
        world.host(0, pages: 2048, WORLD_PRESENT)
        #expect(world.set(0, flags: flags, gfn: 0, pages: 1024, page: 0) == 0)
        return world
    }

    private func log(_ world: World, slot: UInt32 = 0) -> [UInt64] {
        var bitmap = [UInt64](repeating: 0xdead, count: 16)
        return bitmap.withUnsafeMutableBytes { buffer in
            var request = kvm_dirty_log()
            request.slot = slot
            request.padding2 = UInt64(UInt(bitPattern: buffer.baseAddress))
            #expect(lkx_dirty_get(world.vm, &request) == 0)
            return (0..<1024 as Range<UInt64>).filter { buffer[Int($0 / 8)] >> ($0 % 8) & 1 != 0 }
        }
    }

    private func write(_ world: World, _ gfns: some Sequence<UInt64>, vcpu: UInt32 = 0) {
        for gfn in gfns { #expect(world.access(vcpu, gfn, write: true).result == 0) }
    }

    // MARK: a vCPU's page

    @Test(arguments: [511, 512, 513, 1023, 1024]) func aFullPage(count: Int) {
        let world = world(), written = Array(0..<UInt64(count))
        write(world, written)
        #expect(world.w.pointee.full_logs == UInt32((count - 1) / 512))
        #expect(world.w.pointee.pml_index.0 == UInt16(truncatingIfNeeded: 511 - (count - 1) % 512 - 1))
        #expect(log(world) == written && log(world) == [])
        // Just full, it is read, and only when the processor needs room begun again.
        let more = world.w.pointee.full_logs
        write(world, [7])
        #expect(world.w.pointee.full_logs == more + (count % 512 == 0 ? 1 : 0))
        #expect(log(world) == [7] && log(world) == [])
    }

    /// Between two exits for a full page others read it in pieces.
    @Test func readInPieces() {
        let world = world()
        for round in 0..<40 as Range<UInt64> {
            let written = (0..<25).map { ($0 * 37 + round) % 1024 }.sorted()
            write(world, written, vcpu: UInt32(round % 2))
            #expect(log(world) == written)
        }
        #expect(world.w.pointee.full_logs == 0 && world.w.pointee.pml_index.0 == 11 && world.w.pointee.pml_index.1 == 11)
    }

    @Test func aPageIsInItOnceUntilItIsTaken() {
        let world = world()
        for _ in 0..<3 {
            write(world, [5, 6, 5], vcpu: 0)
            write(world, [5, 6, 5], vcpu: 1)
            #expect(world.w.pointee.pml_index.0 + world.w.pointee.pml_index.1 == 1020)
        }
        #expect(log(world) == [5, 6])
        write(world, [6], vcpu: 1)
        #expect(world.w.pointee.pml_index.1 == 510 && log(world) == [6])
    }

    /// The vCPU is in guest mode, has left it, is on another CPU, and has gone in again.
    @Test func whereverTheVCPUIs() {
        let world = world()
        write(world, [1])
        #expect(world.w.pointee.vcpu.0.mode == LKX_IN_GUEST.rawValue && log(world) == [1])
        write(world, [2])
        world_move(world.w, 0, 1)
        #expect(world.w.pointee.vcpu.0.mode == LKX_OUTSIDE_GUEST.rawValue && log(world) == [2])
        write(world, [3])
        world_move(world.w, 0, 0)
        write(world, [4])
        #expect(log(world) == [3, 4] && log(world) == [])
    }

    // MARK: slots

    /// What was written before a log began isn't in it, nor what another slot's log is for.
    @Test func logsBeginAndEnd() {
        let world = world(flags: 0)
        write(world, 0..<100)
        #expect(world.set(0, flags: logging, gfn: 0, pages: 1024, page: 0) == 0)
        #expect(log(world) == [])
        write(world, 50..<60)
        #expect(world.set(0, flags: 0, gfn: 0, pages: 1024, page: 0) == 0)
        write(world, 50..<70)
        #expect(world.set(0, flags: logging, gfn: 0, pages: 1024, page: 0) == 0)
        #expect(log(world) == [])
        // A neighbour without one takes its part of the processor's page.
        #expect(world.set(1, gfn: 1024, pages: 1024, page: 1024) == 0)
        write(world, (1000..<1048))
        #expect(log(world) == Array(1000..<1024))
    }

    @Test(arguments: [false, true]) func aSlotMovesAndTakesAlongWhatNobodyHasRead(overlapping: Bool) {
        let world = world(), to: UInt64 = overlapping ? 512 : 4096
        write(world, [10, 600])
        world_move(world.w, 0, 1)
        write(world, [11], vcpu: 1)
        #expect(world.set(0, flags: logging, gfn: to, pages: 1024, page: 0) == 0)
        write(world, [to + 20])
        #expect(log(world) == [10, 11, 20, 600])
    }

    @Test func aSlotGoesWithWhatNobodyHasRead() {
        let world = world()
        write(world, 0..<100)
        #expect(world.delete(0) == 0)
        // Its log is freed: nothing is to be written there any more.
        #expect(world.vm.pointee.leaving.npages == 0)
        #expect(world.set(0, flags: logging, gfn: 0, pages: 1024, page: 0) == 0)
        #expect(log(world) == [])
    }

    // MARK: all that may come between

    /// A VMM that moves a guest elsewhere: it has copied all pages once, and copies each that a log names. `memory` counts what the guest wrote.
    private final class Migration {
        /// Not to judge every write, but to come in between.
        let recorded: RecordedWorld
        var world: World { recorded.world }
        var base: UInt64 = 16
        var next: UInt64?
        var memory = [Int](repeating: 0, count: 100)
        var copy = [Int](repeating: 0, count: 100)
        let byHand: Bool

        init(pml: Bool, byHand: Bool, near: Bool = true) {
            recorded = RecordedWorld(pml: pml)
            self.byHand = byHand
            world.w.pointee.near = near
            world.host(0, pages: 100, WORLD_PRESENT)
            world.vm.pointee.manual_dirty_log = byHand ? 1 : 0
            #expect(world.set(0, flags: 1, gfn: base, pages: 100, page: 0) == 0)
        }

        func write(_ page: Int, vcpu: UInt32) {
            // While the slot moves it is in one place or the other.
            for base in [base, next].compactMap({ $0 })
            where world.access(vcpu, base + UInt64(page), write: true).result == 0 { memory[page] += 1 }
        }

        /// What it finds of each page is what is there when it looks, which is after the ioctl.
        func synchronize() {
            var bitmap = [UInt64](repeating: 0, count: 2)
            bitmap.withUnsafeMutableBytes { buffer in
                let at = UInt64(UInt(bitPattern: buffer.baseAddress))
                var get = kvm_dirty_log()
                get.padding2 = at
                #expect(lkx_dirty_get(world.vm, &get) == 0)
                guard byHand else { return }
                var clear = kvm_clear_dirty_log()
                clear.num_pages = 100
                clear.padding2 = at
                #expect(lkx_dirty_clear(world.vm, &clear) == 0)
            }
            for page in 0..<100 where bitmap[page / 64] >> UInt64(page % 64) & 1 != 0 { copy[page] = memory[page] }
        }

        /// The guest is stopped, and starts elsewhere.
        func isComplete() -> Bool {
            for vcpu in 0..<2 as Range<UInt32> { world_move(world.w, vcpu, vcpu) }
            synchronize()
            return copy == memory
        }

        func move(to gfn: UInt64) {
            // Places that both have are neither's in particular.
            next = max(base, gfn) - min(base, gfn) >= 100 ? gfn : nil
            #expect(world.set(0, flags: 1, gfn: gfn, pages: 100, page: 0) == 0)
            base = gfn
            next = nil
        }
    }

    enum Outer: CaseIterable { case reads, writes, fillsUp, hostTakes, hostProtects, moves, reclaims, begins }
    enum Inner: CaseIterable { case writesThere, writesElsewhere, writesAndMoves, hostTakes }

    private func run(_ outer: Outer, _ m: Migration) {
        switch outer {
        case .reads: m.synchronize()
        case .writes: m.write(5, vcpu: 0)
        case .fillsUp:
            lkx_pml_read(m.world.vm)
            m.world.w.pointee.pml_index.0 = full
            m.world.w.pointee.vcpu.0.pml_read = 0
            m.world.w.pointee.vcpu.0.pml_noted = 0
            m.write(7, vcpu: 0)
        case .hostTakes: m.world.host(4, pages: 3, WORLD_PRESENT)
        case .hostProtects: m.world.host(4, pages: 3, WORLD_COW)
        case .moves: m.move(to: 300)
        case .reclaims: lkx_ept_reclaim(m.world.vm)
        case .begins:
            // The log ends: the VMM copies all when the next has begun.
            #expect(m.world.set(0, flags: 0, gfn: m.base, pages: 100, page: 0) == 0)
            #expect(m.world.set(0, flags: 1, gfn: m.base, pages: 100, page: 0) == 0)
            m.copy = m.memory
        }
    }

    private func run(_ inner: Inner, _ m: Migration) {
        switch inner {
        case .writesThere: m.write(5, vcpu: 1)
        case .writesElsewhere: m.write(80, vcpu: 1)
        case .writesAndMoves:
            m.write(5, vcpu: 1)
            m.write(6, vcpu: 1)
            world_move(m.world.w, 1, 0)
        case .hostTakes: m.world.host(5, WORLD_PRESENT)
        }
    }

    struct Pair: Sendable, CustomTestStringConvertible {
        var outer: Outer, inner: Inner, pml: Bool, byHand: Bool
        var testDescription: String { "\(inner) while \(outer)\(pml ? ", PML" : "")\(byHand ? ", by hand" : "")" }
        static let all: [Pair] = {
            var all: [Pair] = []
            for outer in Outer.allCases {
                for inner in Inner.allCases {
                    for pml in [false, true] where pml || outer != .fillsUp {
                        for byHand in [false, true] {
                            all.append(Pair(outer: outer, inner: inner, pml: pml, byHand: byHand))
                        }
                    }
                }
            }
            return all
        }()
    }

    /// Nothing is lost, whoever writes while ept.lock is given up in the middle of something.
    @Test(arguments: Pair.all) func everyGap(pair: Pair) {
        var gap: UInt32 = 0
        var gaps: UInt32 = 1
        while gap < gaps {
            let m = Migration(pml: pair.pml, byHand: pair.byHand)
            // Both CPUs have pages cached, written and only read, in a log and not.
            for page in [4, 5, 6, 80] { for vcpu in 0..<2 as Range<UInt32> { m.write(page, vcpu: vcpu) } }
            m.synchronize()
            for page in [4, 5, 80] { m.write(page, vcpu: 0) }
            m.recorded.atUnlock { nth in
                if nth == gap { run(pair.inner, m) }
            }
            run(pair.outer, m)
            gaps = m.world.w.pointee.unlocks
            m.recorded.noScript()
            #expect(m.isComplete(), "gap \(gap)")
            #expect(m.world.w.pointee.stale == 0)
            gap += 1
        }
        #expect(gap >= 1)
    }

    /// The same by chance, for long.
    @Test(arguments: 1...6, [false, true]) func aGuestThatMovesElsewhere(seed: Int, byHand: Bool) {
        var random = Random(seed: UInt64(seed))
        let m = Migration(pml: true, byHand: byHand, near: seed % 2 == 0)
        func guest(_ random: inout Random) {
            let page = random.below(100), vcpu = UInt32(random.below(2))
            switch random.below(12) {
            case 0: world_move(m.world.w, vcpu, UInt32(random.below(2)))
            case 1: m.world.host(UInt64(page), random.oneIn(2) ? WORLD_PRESENT : WORLD_COW)
            case 2: _ = m.world.access(vcpu, m.base + UInt64(page))
            case 3: lkx_mmu_age(m.world.vm, UInt64(WORLD_HVA), UInt64(WORLD_HVA) + 100 * 4096, LKX_AGE_CLEAR)
            default: m.write(page, vcpu: vcpu)
            }
        }
        for _ in 0..<60 {
            for _ in 0..<random.below(120) { guest(&random) }
            if random.oneIn(10) { m.move(to: random.pick([16, 60, 300])) }
            var strike = random
            m.recorded.atUnlock { _ in
                if strike.oneIn(3) { guest(&strike) }
            }
            m.synchronize()
            m.recorded.noScript()
            if random.oneIn(3) { #expect(m.isComplete()) }
        }
        #expect(m.isComplete() && m.world.w.pointee.full_logs > 0)
    }

    // MARK: a vCPU and its VMCS

    private var pmlControl: UInt64 { 1 << UInt64(LKX_BIT_PROC2_ENABLE_PML.rawValue) }

    @Test func whatAVMCSHas() throws {
        let machine = try FakeMachine(reset: .skylake)
        #expect(machine.fake.pointee.caps.pml && machine.fake.pointee.vcpu.pml != nil)
        #expect(machine[VMCS_PROC2_CONTROLS] & pmlControl != 0 && machine[VMCS_PML_INDEX] == UInt64(empty))
        #expect(machine[VMCS_PML_ADDRESS] == UInt64(UInt(bitPattern: machine.fake.pointee.vcpu.pml)))
        // No flags, no log; nor without the control.
        for (model, change) in [(ProcessorModel.skylake, 0), (.skylake, 1), (.westmere, 0)] {
            var model = model
            if change == 1 { model.proc2 &= ~(pmlControl << 32) } else { model.eptVPID &= ~(1 << 21) }
            let machine = try FakeMachine(reset: model)
            #expect(!machine.fake.pointee.caps.pml && machine.fake.pointee.vcpu.pml == nil)
            #expect(machine[VMCS_PROC2_CONTROLS] & pmlControl == 0 && machine.fake.pointee.vcpu.after_exit == 0)
        }
    }

    @Test func withoutMemoryThereIsNoVCPU() {
        let machine = FakeMachine()
        machine.fake.pointee.caps.pml = true
        machine.fake.pointee.vm.tsc_khz = 2_000_000
        // One for CPUID.
        machine.fake.pointee.hw.allocations_left = 1
        #expect(lkx_vcpu_init(machine.vcpu) == -ENOMEM)
        lkx_vcpu_destroy(machine.vcpu)
        #expect(machine.fake.pointee.hw.pages == 0 && machine.fake.pointee.hw.objects == 0)
    }

    /// From 512, nothing, to 0, all of it: whatever a processor leaves in the VMCS.
    @Test(arguments: [(511, 512), (510, 511), (0, 1), (0xffff, 0), (512, 0), (0x8000, 0)] as [(UInt64, UInt32)])
    func howFarTheProcessorCame(index: UInt64, noted: UInt32) throws {
        let machine = try FakeMachine(reset: .skylake)
        machine.fake.pointee.enters = true
        machine[VMCS_EXIT_REASON] = UInt64(EXIT_HLT.rawValue)
        machine[VMCS_PML_INDEX] = index
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(machine.fake.pointee.vcpu.pml_noted == noted && machine[VMCS_PML_INDEX] == index)
    }

    @Test func anEntryThatDoesNotHappenNotesNothing() throws {
        let machine = try FakeMachine(reset: .skylake)
        machine[VMCS_PML_INDEX] = 3
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_FAIL_ENTRY))
        #expect(machine.fake.pointee.vcpu.pml_noted == 512)
        // One with bad guest state leaves the index as it was, which may be noted.
        machine[VMCS_PML_INDEX] = 511
        machine.fake.pointee.enters = true
        machine[VMCS_EXIT_REASON] = 1 << 31 | UInt64(EXIT_ENTRY_FAIL_GUEST_STATE.rawValue)
        #expect(lkx_vcpu_run(machine.vcpu) == 0)
        #expect(machine.fake.pointee.vcpu.pml_noted == 512)
    }

    /// Breakpoints armed or not, in turn: what surrounds an entry is done for both.
    @Test func besideDebugRegisters() throws {
        let machine = try FakeMachine(reset: .skylake)
        machine.fake.pointee.enters = true
        machine[VMCS_EXIT_REASON] = UInt64(EXIT_HLT.rawValue)
        for (round, armed) in [true, false, true, true, false].enumerated() {
            machine[VMCS_GUEST_DR7] = armed ? 0x401 : 0x400
            machine[VMCS_PML_INDEX] = UInt64(500 - round)
            machine.fake.pointee.debug_restored = false
            #expect(lkx_vcpu_run(machine.vcpu) == 0)
            #expect(machine.fake.pointee.debug_restored == armed)
            #expect(machine.fake.pointee.vcpu.pml_noted == UInt32(501 - round))
        }
    }

    /// An IRET that had unblocked NMIs is executed again with them blocked.
    @Test func theExitForAFullPage() throws {
        let machine = try FakeMachine(reset: .skylake)
        machine[VMCS_GUEST_RIP] = 0x100
        machine[VMCS_PML_INDEX] = 0xffff
        machine.fake.pointee.vcpu.pml_noted = 0
        #expect(machine.exit(EXIT_PML_FULL) == 1)
        #expect(machine[VMCS_PML_INDEX] == 511 && machine[VMCS_GUEST_RIP] == 0x100)
        #expect(machine.fake.pointee.vcpu.pml_noted == 512 && machine.fake.pointee.vcpu.pml_read == 512)
        #expect(machine[VMCS_GUEST_INTERRUPTIBILITY] == 0)
        #expect(machine.exit(EXIT_PML_FULL, qualification: 1 << 12, vectoring: 1 << 31 | 0x20) == 1)
        #expect(machine[VMCS_GUEST_INTERRUPTIBILITY] == 0)
        #expect(machine.exit(EXIT_PML_FULL, qualification: 1 << 12) == 1)
        #expect(machine[VMCS_GUEST_INTERRUPTIBILITY] == 8)
    }

    @Test func anExitThatNobodyAskedFor() throws {
        var model = ProcessorModel.skylake
        model.proc2 &= ~(pmlControl << 32)
        let machine = try FakeMachine(reset: model)
        #expect(machine.exit(EXIT_PML_FULL) == 0)
        #expect(fake_run(machine.fake).pointee.exit_reason == UInt32(KVM_EXIT_INTERNAL_ERROR))
    }
}
