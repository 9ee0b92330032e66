// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport

/// Tests that reach MSRs: as a guest's RDMSR and WRMSR, or as a VMM's ioctls.
protocol MSRAccess {
    var machine: FakeMachine { get }
}

extension MSRAccess {
    /// Nil: there is none to read, #GP for a guest.
    func get(_ index: UInt32, byGuest: Bool = true) -> UInt64? {
        var value: UInt64 = 0
        return lkx_msr_get(machine.vcpu, index, &value, byGuest) ? nil : value
    }

    /// False: it does not take the value.
    func set(_ index: UInt32, _ value: UInt64, byGuest: Bool = true) -> Bool {
        !lkx_msr_set(machine.vcpu, index, value, byGuest)
    }
}
