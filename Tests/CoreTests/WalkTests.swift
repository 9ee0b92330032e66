// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

private let write = UInt32(CoreAccess.write)
private let fetch = UInt32(CoreAccess.fetch)
private let user = UInt32(CoreAccess.user)

/// <guest_memory.h>'s ACCESS_*: BIT() is not imported.
enum CoreAccess {
    static let write = 1, fetch = 2, user = 4, noCheck = 8
}

/// The walker in each paging mode: where addresses lead.
@Suite struct WalkTests {
    @Test func withoutPagingAddressesAre32BitsOfThemselves() {
        let machine = FakeMachine()
        #expect(machine.walk(0x1234) == .address(0x1234))
        #expect(machine.walk(0x1_0000_1234) == .address(0x1234))
    }

    @Test func thirtyTwoBitPages() {
        let machine = FakeMachine(mode: FAKE_PROTECTED_32)
        machine.addSlot(0, bytes: 0x10000)
        machine[VMCS_GUEST_CR0] |= 1 << 31
        machine[VMCS_GUEST_CR3] = 0x1018  // PCD and PWT are not part of the address
        machine.write(0x1000 + 0x301 * 4, 0x2000 | Entry.all, bytes: 4)
        machine.write(0x2000 + 0x234 * 4, 0x9abc_d000 | Entry.all, bytes: 4)
        #expect(machine.walk(0xc063_4567) == .address(0x9abc_d567))
        #expect(machine.walk(0xc063_5567) == .pageFault(error: 0, address: 0xc063_5567))
        #expect(machine.walk(0x0063_4567) == .pageFault(error: 0, address: 0x0063_4567))
    }

    @Test func fourMegabytePagesAndPSE36() {
        let machine = FakeMachine(mode: FAKE_PROTECTED_32)
        machine.addSlot(0, bytes: 0x10000)
        machine[VMCS_GUEST_CR0] |= 1 << 31
        machine[VMCS_GUEST_CR3] = 0x1000
        machine[VMCS_GUEST_CR4] = 1 << 4
        // 12:PAT is no part of the address; 20:13 are bits 39:32.
        machine.write(0x1000 + 5 * 4, 0xffc0_0000 | 0xa5 << 13 | 1 << 12 | Entry.large | Entry.all, bytes: 4)
        #expect(machine.walk(0x0155_5555) == .address(0xa5_ffd5_5555))
        #expect(machine.read(0x1014, bytes: 4) & Entry.accessed != 0)
        // Bit 21 is reserved.
        machine.write(0x1014, 0xffe0_0000 | Entry.large | Entry.all, bytes: 4)
        #expect(machine.walk(0x0155_5555) == .pageFault(error: 9, address: 0x0155_5555))
        // Without CR4.PSE bit 7 means nothing.
        machine[VMCS_GUEST_CR4] = 0
        machine.write(0x1014, 0x2000 | Entry.large | Entry.all, bytes: 4)
        machine.write(0x2000 + 0x155 * 4, 0x7000 | Entry.all, bytes: 4)
        #expect(machine.walk(0x0155_5555) == .address(0x7555))
    }

    @Test func paeTakesThePointersFromTheVMCS() {
        let machine = FakeMachine(mode: FAKE_PROTECTED_32)
        machine.addSlot(0, bytes: 0x10000)
        machine[VMCS_GUEST_CR0] |= 1 << 31
        machine[VMCS_GUEST_CR4] = 1 << 5
        machine[VMCS_GUEST_CR3] = 0xdead_0000
        machine[VMCS_GUEST_PDPTE3] = 0x1001
        let directory = UInt64(0x1000) + 0x1ff * 8
        machine.write(directory, 0x2000 | Entry.all, bytes: 8)
        machine.write(0x2000 + 0x1ff * 8, 0x12_3456_7000 | Entry.all, bytes: 8)
        #expect(machine.walk(0xffff_fabc) == .address(0x12_3456_7abc))
        #expect(machine.walk(0x1_ffff_fabc) == .address(0x12_3456_7abc))
        #expect(machine.walk(0x3fff_fabc) == .pageFault(error: 0, address: 0x3fff_fabc))
        machine.write(directory, 0x7_ffe0_0000 | Entry.large | Entry.all, bytes: 8)
        #expect(machine.walk(0xffff_fabc) == .address(0x7_ffff_fabc))
        // Reserved: bits under a large page's address, bits from MAXPHYADDR on, bit 62, and XD without NXE.
        for reserved in [UInt64(1) << 13, 1 << 20, 1 << 40, 1 << 51, 1 << 62, 1 << 63] {
            machine.write(directory, 0x7_ffe0_0000 | reserved | Entry.large | Entry.all, bytes: 8)
            #expect(machine.walk(0xffff_fabc, write) == .pageFault(error: 0xb, address: 0xffff_fabc))
        }
        machine.fake.pointee.vcpu.efer = 1 << 11
        #expect(machine.walk(0xffff_fabc) == .address(0x7_ffff_fabc))
        #expect(machine.walk(0xffff_fabc, fetch) == .pageFault(error: 0x11, address: 0xffff_fabc))
    }

    @Test func fourLevels() {
        let gla: UInt64 = 0xffff_8123_4567_8abc
        let (machine, entries) = FakeMachine.fourLevel(gla)
        #expect(machine.walk(gla) == .address(0x5abc))
        // Ignored bits may be anything.
        for entry in entries {
            machine.write(entry, machine.read(entry, bytes: 8) | 0x7ff << 52 | 0xe00, bytes: 8)
        }
        #expect(machine.walk(gla) == .address(0x5abc))
        for (level, entry) in entries.enumerated() {
            let good = machine.read(entry, bytes: 8)
            machine.write(entry, good & ~1, bytes: 8)
            #expect(machine.walk(gla, user) == .pageFault(error: 4, address: gla), "level \(4 - level)")
            machine.write(entry, good, bytes: 8)
        }
        #expect(machine.walk(0x0000_8000_0000_0000) == .protection)
        #expect(machine.walk(0xffff_7fff_ffff_ffff) == .protection)
    }

    @Test func largePagesOfFourLevelPaging() {
        let gla: UInt64 = 0x7f12_3456_789a
        let (machine, entries) = FakeMachine.fourLevel(gla)
        machine.write(entries[2], 0xab_cde0_0000 | 1 << 12 | Entry.large | Entry.all, bytes: 8)
        #expect(machine.walk(gla) == .address(0xab_cde0_0000 | gla & 0x1f_ffff))
        machine.write(entries[1], 0xff_4000_0000 | 1 << 12 | Entry.large | Entry.all, bytes: 8)
        #expect(machine.walk(gla) == .address(0xff_4000_0000 | gla & 0x3fff_ffff))
        // Bits under a large page's address are reserved, but for bit 12.
        for (entry, bits) in [(entries[1], [13, 20, 29]), (entries[2], [13, 20])] as [(UInt64, [UInt64])] {
            let good =
                entry == entries[1]
                ? 0xff_4000_0000 | Entry.large | Entry.all : 0xab_cde0_0000 | Entry.large | Entry.all
            for bit in bits {
                machine.write(entry, good | 1 << bit, bytes: 8)
                #expect(machine.walk(gla) == .pageFault(error: 9, address: gla), "bit \(bit)")
            }
            machine.write(entry, entry == entries[1] ? 0x12000 | Entry.all : good, bytes: 8)
        }
        machine.write(entries[1], 0xff_4000_0000 | 1 << 12 | Entry.large | Entry.all, bytes: 8)
        // On a processor without 1 GiB pages the bit is reserved; it always is in a PML4 entry.
        machine.fake.pointee.caps.pages_1gb = false
        #expect(machine.walk(gla) == .pageFault(error: 9, address: gla))
        machine.fake.pointee.caps.pages_1gb = true
        machine.write(entries[0], 0x11000 | Entry.large | Entry.all, bytes: 8)
        #expect(machine.walk(gla) == .pageFault(error: 9, address: gla))
    }

    @Test func reservedBitsOfFourLevelPaging() {
        let gla: UInt64 = 0x40_1234_5678
        for level in 0..<4 {
            for bit in [40, 45, 51, 63] {
                let (machine, entries) = FakeMachine.fourLevel(gla)
                machine.fake.pointee.vcpu.efer &= ~(1 << 11)  // NXE
                machine.write(entries[level], machine.read(entries[level], bytes: 8) | 1 << UInt64(bit), bytes: 8)
                #expect(
                    machine.walk(gla, fetch) == .pageFault(error: 9, address: gla), "level \(4 - level), bit \(bit)")
                #expect(machine.walk(gla, write | user) == .pageFault(error: 0xf, address: gla))
            }
        }
        // 46 physical bits: 40 is an address.
        let (machine, entries) = FakeMachine.fourLevel(gla)
        machine.fake.pointee.caps.physical_bits = 46
        machine.write(entries[3], 1 << 45 | Entry.all, bytes: 8)
        #expect(machine.walk(gla) == .address(1 << 45 | 0x678))
    }

    @Test func aTableOutsideOfMemoryIsSaid() {
        let (machine, entries) = FakeMachine.fourLevel(0)
        machine.write(entries[1], 0x7000_0000 | Entry.all, bytes: 8)
        #expect(machine.walk(0) == .tableNotInMemory(0x7000_0000))
        let start = UInt64(UInt(bitPattern: fake_memory(machine.fake, 0x10000, 8)))
        machine.fake.pointee.gone_from = start
        machine.fake.pointee.gone_to = start + 8
        #expect(machine.walk(0) == .tableNotInMemory(0x10000))
    }
}
