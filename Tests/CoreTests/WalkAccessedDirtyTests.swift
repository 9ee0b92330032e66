// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// A and D bits are set as the processor sets them, without losing what others write meanwhile.
@Suite struct WalkAccessedDirtyTests {
    static let gla: UInt64 = 0x7fff_1234_5678

    private func bits(_ machine: FakeMachine, _ entries: [UInt64]) -> [UInt64] {
        entries.map { machine.read($0, bytes: 8) & (Entry.accessed | Entry.dirty) }
    }

    @Test func readsSetAccessedAndWritesTheLeafsDirty() {
        let (machine, entries) = FakeMachine.fourLevel(Self.gla)
        #expect(machine.walk(Self.gla) == .address(0x5678))
        #expect(bits(machine, entries) == [32, 32, 32, 32])
        #expect(machine.walk(Self.gla, UInt32(CoreAccess.write)) == .address(0x5678))
        #expect(bits(machine, entries) == [32, 32, 32, 96])
    }

    @Test func translationAloneSetsNothing() {
        let (machine, entries) = FakeMachine.fourLevel(Self.gla)
        #expect(machine.walk(Self.gla, UInt32(CoreAccess.noCheck | CoreAccess.write)) == .address(0x5678))
        #expect(bits(machine, entries) == [0, 0, 0, 0])
        // It asks for no permission, but for presence.
        machine.write(entries[3], 0x5000 | Entry.present, bytes: 8)
        #expect(machine.walk(Self.gla, UInt32(CoreAccess.noCheck | CoreAccess.user)) == .address(0x5678))
        machine.write(entries[3], 0x5000, bytes: 8)
        #expect(machine.walk(Self.gla, UInt32(CoreAccess.noCheck)) == .pageFault(error: 0, address: Self.gla))
    }

    @Test func aRefusedAccessLeavesTheLeafClean() {
        let (machine, entries) = FakeMachine.fourLevel(Self.gla)
        machine.write(entries[3], 0x5000 | Entry.present | Entry.user, bytes: 8)
        #expect(
            machine.walk(Self.gla, UInt32(CoreAccess.write | CoreAccess.user))
                == .pageFault(error: 7, address: Self.gla))
        #expect(bits(machine, entries)[3] == 0)
    }

    @Test func largeAnd32BitLeaves() {
        let (machine, entries) = FakeMachine.fourLevel(Self.gla)
        machine.write(entries[2], Entry.large | Entry.all, bytes: 8)
        #expect(machine.walk(Self.gla, UInt32(CoreAccess.write)) == .address(Self.gla & 0x1f_ffff))
        #expect(bits(machine, entries) == [32, 32, 96, 0])

        let small = FakeMachine(mode: FAKE_PROTECTED_32)
        small.addSlot(0, bytes: 0x4000)
        small[VMCS_GUEST_CR0] |= 1 << 31
        small[VMCS_GUEST_CR3] = 0x1000
        small.write(0x1000, 0x2000 | Entry.all, bytes: 4)
        small.write(0x1004, 0xffff_ffff, bytes: 4)
        small.write(0x2000, 0x3000 | Entry.all, bytes: 4)
        #expect(small.walk(0x10, UInt32(CoreAccess.write)) == .address(0x3010))
        #expect(small.read(0x1000, bytes: 8) == 0xffff_ffff_0000_2027)
        #expect(small.read(0x2000, bytes: 8) == 0x3067)
    }

    @Test func anEntryThatChangedIsWalkedAgain() {
        let (machine, entries) = FakeMachine.fourLevel(Self.gla)
        // Just before the first compare-and-exchange another processor makes the PML4 entry not present.
        machine.fake.pointee.interfere = 1
        machine.fake.pointee.interference = 1
        #expect(machine.walk(Self.gla) == .pageFault(error: 0, address: Self.gla))
        #expect(machine.read(entries[0], bytes: 8) & Entry.accessed == 0)
    }

    @Test func aChangeThatKeepsTheEntryGoodIsNotLost() {
        let (machine, entries) = FakeMachine.fourLevel(Self.gla)
        machine.fake.pointee.interfere = 3
        machine.fake.pointee.interference = 1 << 9  // one of the bits for software
        #expect(machine.walk(Self.gla) == .address(0x5678))
        #expect(machine.read(entries[0], bytes: 8) == 0x11000 | 1 << 9 | Entry.accessed | Entry.all)
    }

    @Test func endlessChangesEnd() {
        let (machine, _) = FakeMachine.fourLevel(Self.gla)
        machine.fake.pointee.interfere = UInt32.max
        machine.fake.pointee.interference = 1 << 9
        #expect(machine.walk(Self.gla) == .tryAgain)
    }

    @Test func tablesInReadOnlyMemoryKeepTheirBits() {
        let machine = FakeMachine(mode: FAKE_PROTECTED_32)
        machine.addSlot(0, bytes: 0x4000, readOnly: true)
        machine[VMCS_GUEST_CR0] |= 1 << 31
        machine[VMCS_GUEST_CR3] = 0x1000
        machine.write(0x1000, 0x2000 | Entry.all, bytes: 4)
        machine.write(0x2000, 0x3000 | Entry.all, bytes: 4)
        #expect(machine.walk(0x10, UInt32(CoreAccess.write)) == .address(0x3010))
        #expect(machine.read(0x2000, bytes: 4) == 0x3007)
    }
}
