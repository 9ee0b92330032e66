// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Glibc

/// Bits of the guest's paging-structure entries. SDM vol. 3, tables 4-4 to 4-19.
enum Entry {
    static let present: UInt64 = 1
    static let write: UInt64 = 2
    static let user: UInt64 = 4
    static let accessed: UInt64 = 1 << 5
    static let dirty: UInt64 = 1 << 6
    static let large: UInt64 = 1 << 7
    static let noExecute: UInt64 = 1 << 63
    static let all = present | write | user
}

/// What an access meets.
enum WalkResult: Equatable {
    case address(UInt64)
    case pageFault(error: UInt32, address: UInt64)
    case protection
    case tableNotInMemory(UInt64)
    case tryAgain
}

extension FakeMachine {
    static let pageFault = UInt8(VECTOR_PF)

    func walk(_ gla: UInt64, _ access: UInt32 = 0) -> WalkResult {
        var gpa: UInt64 = 0
        var fault = lkx_walk_fault()
        switch lkx_walk(vcpu, gla, access, &gpa, &fault) {
        case 0: return .address(gpa)
        case -EFAULT where fault.vector == Self.pageFault: return .pageFault(error: fault.error, address: fault.address)
        case -EFAULT: return .protection
        case -ENXIO: return .tableNotInMemory(fault.address)
        default: return .tryAgain
        }
    }

    /// 4-level tables in 64-bit mode: one entry a level at `gla`, at gpa 0x10000 (PML4) to 0x13000 (page table), giving 0x5000.
    static func fourLevel(_ gla: UInt64) -> (machine: FakeMachine, entries: [UInt64]) {
        let machine = FakeMachine(mode: FAKE_LONG_64)
        machine.addSlot(0, bytes: 0x20000)
        machine[VMCS_GUEST_CR3] = 0x10000
        var entries: [UInt64] = []
        for level in UInt64(0)..<4 {
            let table: UInt64 = 0x10000 + level * 0x1000
            let index = (gla >> (39 - 9 * level)) & 511
            let next: UInt64 = level == 3 ? 0x5000 : table + 0x1000
            entries.append(table + index * 8)
            machine.write(table + index * 8, next | Entry.all, bytes: 8)
        }
        return (machine, entries)
    }
}
