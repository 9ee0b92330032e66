// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import CoreTestSupport
import Testing

/// The walker's permission checks against a second statement of SDM vol. 3, 4.6.1, for every combination.
@Suite struct WalkPermissionTests {
    static let gla: UInt64 = 0x1234_5678

    struct Rights {
        var user, writable, executable: Bool
    }

    struct Control {
        var wp, smep, smap, ac, nxe: Bool
    }

    enum Kind: CaseIterable {
        case read, write, fetch

        var bits: UInt32 {
            switch self {
            case .read: 0
            case .write: UInt32(CoreAccess.write)
            case .fetch: UInt32(CoreAccess.fetch)
            }
        }
    }

    /// The manual's paragraphs, one by one.
    static func allowed(_ kind: Kind, byUser: Bool, _ page: Rights, _ c: Control) -> Bool {
        if byUser {
            guard page.user else { return false }
            switch kind {
            case .read: return true
            case .write: return page.writable
            case .fetch: return page.executable || !c.nxe
            }
        }
        switch (kind, page.user) {
        case (.read, false): return true
        case (.read, true): return !c.smap || c.ac
        case (.write, false): return !c.wp || page.writable
        case (.write, true): return (!c.smap || c.ac) && (!c.wp || page.writable)
        case (.fetch, false): return page.executable || !c.nxe
        case (.fetch, true): return !c.smep && (page.executable || !c.nxe)
        }
    }

    @Test func everyCombination() {
        let flags = [false, true]
        let gla = Self.gla
        var cases = 0
        for bits in 0..<32 {
            let c = Control(
                wp: bits & 1 != 0, smep: bits & 2 != 0, smap: bits & 4 != 0, ac: bits & 8 != 0, nxe: bits & 16 != 0)
            let (machine, entries) = FakeMachine.fourLevel(gla)
            machine[VMCS_GUEST_CR0] = 0x8000_0031 | (c.wp ? 1 << 16 : 0)
            machine[VMCS_GUEST_CR4] = 0x20 | (c.smep ? 1 << 20 : 0) | (c.smap ? 1 << 21 : 0)
            machine[VMCS_GUEST_RFLAGS] = 2 | (c.ac ? 1 << 18 : 0)
            machine.fake.pointee.vcpu.efer = 0x500 | (c.nxe ? 1 << 11 : 0)
            for level in 0..<4 {
                let good = machine.read(entries[level], bytes: 8)
                for user in flags {
                    for writable in flags {
                        for executable in flags where executable || c.nxe {
                            let rights = Rights(user: user, writable: writable, executable: executable)
                            machine.write(
                                entries[level],
                                good & ~Entry.all | Entry.present | (user ? Entry.user : 0)
                                    | (writable ? Entry.write : 0)
                                    | (executable ? 0 : Entry.noExecute), bytes: 8)
                            for kind in Kind.allCases {
                                for byUser in flags {
                                    cases += 1
                                    let access = kind.bits | (byUser ? UInt32(CoreAccess.user) : 0)
                                    var error: UInt32 = 1 | (kind == .write ? 2 : 0) | (byUser ? 4 : 0)
                                    if kind == .fetch, c.nxe || c.smep { error |= 16 }
                                    let expected: WalkResult =
                                        Self.allowed(kind, byUser: byUser, rights, c)
                                        ? .address(0x5678) : .pageFault(error: error, address: gla)
                                    if machine.walk(gla, access) != expected {
                                        Issue.record(
                                            "\(kind) by \(byUser ? "user" : "supervisor"), level \(4 - level) \(rights), \(c): \(machine.walk(gla, access)), expected \(expected)"
                                        )
                                    }
                                }
                            }
                        }
                    }
                }
                machine.write(entries[level], good, bytes: 8)
            }
        }
        #expect(cases == (16 * 4 * 4 + 16 * 4 * 8) * 6)
    }

    /// CR0 and CR4 bits that the host owns come from the read shadow.
    @Test func ownedBitsAreTheShadows() {
        let (machine, entries) = FakeMachine.fourLevel(Self.gla)
        machine.write(entries[3], 0x5000 | Entry.present | Entry.user, bytes: 8)
        machine[VMCS_GUEST_CR0] = 0x8001_0031
        #expect(machine.walk(Self.gla, UInt32(CoreAccess.write)) == .pageFault(error: 3, address: Self.gla))
        machine[VMCS_CR0_GUEST_HOST_MASK] = 1 << 16
        #expect(machine.walk(Self.gla, UInt32(CoreAccess.write)) == .address(0x5678))
    }
}
