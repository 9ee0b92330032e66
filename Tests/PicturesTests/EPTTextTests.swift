// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Testing

@testable import Pictures

@Suite("Page tables as text")
struct EPTTextTests {
    @Test func tree() {
        let text = EPTText(Samples.small, device: "sim")
        #expect(
            text.title
                == "VM 3 of process 812 on sim: 39-bit addresses, 5 tables, 516 pages mapped (4 MiB), "
                + "accessed and dirty bits on")
        #expect(
            text.lines.joined(separator: "\n") == """
                table                   guest physical                  size  rwx  type  A/D
                PML4                    0x0-0x7fffffffff             512 GiB
                └─ 0 PDPT               0x0-0x7fffffffff             512 GiB  rwx        A
                   ├─ 0 PD              0x0-0x3fffffff                 1 GiB  rwx        A
                   │  ├─ 0 PT           0x0-0x1fffff                   2 MiB  rwx        A
                   │  │  ├─ 0-1         0x0-0x1fff                 2 x 4 KiB  rwx  WB    AD
                   │  │  ├─ 2-4 hole    0x2000-0x4fff                 12 KiB
                   │  │  ├─ 5           0x5000-0x5fff                  4 KiB  r-x  WB    A-
                   │  │  └─ 6-511 hole  0x6000-0x1fffff              1.9 MiB
                   │  ├─ 1              0x200000-0x3fffff              2 MiB  rw-  WB    --
                   │  ├─ 2 hole         0x400000-0x5fffff              2 MiB
                   │  ├─ 3 PT           0x600000-0x7fffff              2 MiB  rwx        A
                   │  │  └─ 0-511       0x600000-0x7fffff        512 x 4 KiB  rwx  WB    --
                   │  └─ 4-511 hole     0x800000-0x3fffffff        1,016 MiB
                   └─ 1-511 hole        0x40000000-0x7fffffffff      511 GiB
                """)
    }

    @Test("a VM that ended meanwhile, and one without accessed and dirty bits")
    func title() {
        let snapshot = EPTSnapshot(
            id: 1, process: 2, frames: 1 << 24, tables: 1, hasAccessDirty: false, isComplete: false, entries: [])
        #expect(
            EPTText(snapshot, device: "/dev/rust_kvm").title
                == "VM 1 of process 2 on /dev/rust_kvm: 36-bit addresses, 1 table, 0 pages mapped (0 bytes), "
                + "accessed and dirty bits off; it ended while it was read")
    }

    @Test func entries() {
        let leaf = Samples.leaf(1, 0, 1, 3 | Samples.accessed)
        #expect(accessedDirty(leaf) == "A-" && memoryType(leaf) == "WB" && leaf.permissions == "rw-")
        let guests = EPTEntry(level: 2, address: GuestAddress(0), bits: 4 | 1 << 9, isLeaf: true)
        #expect(accessedDirty(guests) == "-D" && memoryType(guests) == "UC+PAT" && guests.permissions == "--x")
        let table = Samples.table(3, 0, 1 | 1 << 9)
        #expect(accessedDirty(table) == "-" && memoryType(table) == "" && table.memoryType == nil)
        #expect(
            [0, 1, 2, 4, 5].map { EPTEntry(level: 1, address: GuestAddress(0), bits: $0 << 3, isLeaf: true).memoryType }
                == ["UC", "WC", "type 2", "WT", "WP"])
    }

    @Test func units() {
        #expect(
            [0, 1023, 1024, 1536, 4 << 20, 512 << 30].map { bytes($0) }
                == ["0 bytes", "1,023 bytes", "1 KiB", "1.5 KiB", "4 MiB", "512 GiB"])
    }
}
