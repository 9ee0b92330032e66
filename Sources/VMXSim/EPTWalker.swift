// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Translates guest-physical addresses through extended page tables. SDM vol. 3, 29.3.2.
public struct EPTWalker {
    let capabilities: Capabilities
    let memory: any PhysicalMemory

    public init(_ capabilities: Capabilities, memory: any PhysicalMemory) {
        self.capabilities = capabilities
        self.memory = memory
    }

    /// Where a walk may start below the top: a table, and the AND of the entries above it.
    struct Start {
        var table: UInt64
        var level: Int
        var access: EPTAccess
    }

    /// Translates an address, setting accessed and dirty flags where the pointer asks for them.
    ///
    /// - Parameters:
    ///   - access: more than one for an access that reads and writes.
    ///   - log: the page-modification log, where there is one.
    public func translate(
        _ guestPhysical: UInt64, _ pointer: EPTPointer, _ access: EPTAccess, for purpose: EPTPurpose,
        log: PageModificationLog? = nil
    ) -> EPTOutcome {
        var unused: Start?
        return walk(
            guestPhysical, pointer, access, purpose, log, from: Start(table: pointer.table, level: 4, access: .all),
            lastTable: &unused)
    }

    func walk(
        _ guestPhysical: UInt64, _ pointer: EPTPointer, _ access: EPTAccess, _ purpose: EPTPurpose,
        _ log: PageModificationLog?, from start: Start, lastTable: inout Start?
    ) -> EPTOutcome {
        var path = InlineArray<5, UInt64>(repeating: 0)
        var (table, level, allowed) = (start.table, start.level, start.access)
        var isAccessed = true
        // Four levels translate 48 bits; higher ones are a violation as if nothing were there.
        if guestPhysical >> 48 != 0 { return violation(access, [], purpose, pointer) }
        while true {
            let address = table + (guestPhysical >> UInt64(3 + 9 * level) & 511) * 8
            let entry = memory.load(address)
            path[level] = address
            if entry & 0x100 == 0 { isAccessed = false }
            if entry & 7 == 0 { return violation(access, [], purpose, pointer) }
            let isPage = level == 1 || (level < 4 && entry & 0x80 != 0)
            if let fault = misconfiguration(entry, level, isPage) { return .misconfiguration(fault, level: level) }
            allowed.formIntersection(EPTAccess(rawValue: UInt8(entry & 7)))
            if isPage {
                let wanted = effective(access, purpose, pointer)
                guard allowed.isSuperset(of: wanted) else { return violation(access, allowed, purpose, pointer) }
                // A flag that is found set stays as it is, whoever clears it meanwhile.
                let setsDirty = wanted.contains(.write) && entry & 0x200 == 0
                if pointer.usesAccessedDirty {
                    if let log, log.isFull, setsDirty || !isAccessed { return .logFull }
                    let old = markUsed(path, from: start.level, to: level, dirty: setsDirty)
                    if setsDirty, old & 0x200 == 0 { log?.add(guestPhysical) }
                }
                let shift = UInt8(3 + 9 * level)
                return .translated(
                    EPTMapping(
                        base: entry & EPTPointer.addresses & ~(1 << UInt64(shift) - 1), shift: shift, access: allowed,
                        isDirty: !pointer.usesAccessedDirty || entry & 0x200 != 0 || wanted.contains(.write),
                        memoryType: UInt8(entry >> 3 & 7)))
            }
            table = entry & EPTPointer.addresses
            level -= 1
            if level == 1 { lastTable = Start(table: table, level: 1, access: allowed) }
        }
    }

    /// With accessed and dirty flags, accesses to paging structures count as writes. SDM vol. 3, 29.3.5.
    private func effective(_ access: EPTAccess, _ purpose: EPTPurpose, _ pointer: EPTPointer) -> EPTAccess {
        guard pointer.usesAccessedDirty, case .tableWalk = purpose else { return access }
        return access.union(.write)
    }

    /// What the leaf was before.
    private func markUsed(_ path: InlineArray<5, UInt64>, from top: Int, to leaf: Int, dirty: Bool) -> UInt64 {
        for level in (leaf...top).reversed() where level != leaf { memory.set(path[level], bits: 0x100) }
        return memory.set(path[leaf], bits: dirty ? 0x300 : 0x100)
    }

    private func violation(
        _ access: EPTAccess, _ allowed: EPTAccess, _ purpose: EPTPurpose, _ pointer: EPTPointer
    ) -> EPTOutcome {
        var qualification = UInt64(effective(access, purpose, pointer).rawValue) | UInt64(allowed.rawValue) << 3
        switch purpose {
        case .linear: qualification |= 0x180
        case .tableWalk: qualification |= 0x80
        case .noLinear: break
        }
        return .violation(qualification: qualification)
    }

    /// SDM vol. 3, 29.3.3.1, and the figure of formats in 29.3.2.
    private func misconfiguration(_ entry: UInt64, _ level: Int, _ isPage: Bool) -> EPTMisconfiguration? {
        switch entry & 7 {
        case 2, 6: return .writableNotReadable
        case 4 where !capabilities.has(.executeOnly): return .executeOnly
        default: break
        }
        if capabilities.isBeyond(entry & EPTPointer.addresses) { return .addressWidth }
        guard isPage else { return entry & (level == 4 ? 0xF8 : 0x78) != 0 ? .reservedInTable : nil }
        if level == 3 && !capabilities.has(.pages1G) || level == 2 && !capabilities.has(.pages2M) {
            return .reservedInTable
        }
        if [2, 3, 7].contains(entry >> 3 & 7) { return .memoryType }
        let alignment: UInt64 = level == 3 ? 0x3FFF_F000 : level == 2 ? 0x1F_F000 : 0
        return entry & alignment != 0 ? .reservedInPage : nil
    }
}
