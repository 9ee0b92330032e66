// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import VMXCases
import VMXSim

/// A case with its tables and pages in a machine's arena.
struct EPTRun {
    let access: EPTAccess
    let kind: Kind
    let pointer: EPTPointer
    let entries: [UInt64]
    /// Guest-physical.
    let address: UInt64
    let linear: UInt64
    private let arena: UInt64

    /// What the case's page is to the guest.
    enum Kind { case page, table, pagePointers }
    var isWalk: Bool { kind == .table }

    /// Pages of cases are in the second half, at what the tables have as their offsets.
    static let pages: UInt64 = 0x20_0000
    /// Offsets where an access may end, and what tells them apart.
    static let targets: [(offset: UInt64, marker: UInt64)] = [(pages + 0x4123, 0x45), (pages + 0x5123, 0x55)]
    private static let gigabyte: UInt64 = 0x3FFF_FFFF

    init(_ test: EPTCase, arena: UInt64) {
        access = test.access
        self.arena = arena
        kind =
            switch test.purpose {
            case .linear: .page
            case .tableWalk: .table
            case .noLinear: .pagePointers
            }
        linear = kind == .table ? EPTGuest.walked : EPTGuest.linear
        pointer = EPTPointer(rawValue: test.pointer.rawValue + arena)
        // A 1 GiB page has the arena in it where the address says so.
        let megabytes: UInt64 = 0x3FE0_0000
        let moved = test.address & ~megabytes | (arena + Self.pages) & megabytes
        address = kind == .table ? moved & ~0xFFF | EPTGuest.walkedEntry : moved
        entries = test.entries.enumerated().map { Self.moved($1, 4 - $0, arena) }
    }

    /// An entry that names the arena's tables and pages instead of the case's.
    private static func moved(_ entry: UInt64, _ level: Int, _ arena: UInt64) -> UInt64 {
        if entry & 7 == 0 { return entry }
        let bits: UInt64 = 0xFF_F000
        let low = entry & bits
        let isLarge = level > 1 && entry & 0x80 != 0
        let target: UInt64? =
            switch (low, isLarge) {
            case (0x1000...0x5000, false): arena + low
            case (0x55_5000, false): arena + pages + 0x5000
            case (0x40_0000, true) where level == 2: arena + pages
            default: nil
            }
        if let target { return entry & ~bits + target }
        if level == 3, entry & 0x000F_FFFF_C000_0000 == 0x8000_0000, entry & 0x80 != 0 {
            return entry & ~0x8000_0000 | arena & ~gigabyte
        }
        return entry
    }

    private func offset(_ level: Int) -> UInt64 { EPTCase.Layout.place(level, address) }

    /// Why a machine can't be given the case.
    static func obstacle(_ test: EPTCase, _ run: EPTRun, _ capabilities: Capabilities) -> String? {
        let bits = capabilities.physicalAddressBits
        if run.kind == .pagePointers, run.address >> 32 != 0 { return "CR3 has 32 bits with PAE paging" }
        if test.address >> UInt64(bits) != 0 { return "a guest's tables can't name addresses beyond \(bits) bits" }
        if run.isWalk, run.access == .write, case .translated = run.translate(.read, capabilities, run.memory()) {
            return nil
        }
        return run.isWalk && run.access == .write ? "a walk reads an entry before it writes it" : nil
    }

    private func memory() -> TestMemory {
        let memory = TestMemory()
        for (index, entry) in entries.enumerated() { memory.words[arena + offset(4 - index)] = entry }
        return memory
    }

    private func translate(_ access: EPTAccess, _ capabilities: Capabilities, _ memory: TestMemory) -> EPTOutcome {
        EPTWalker(capabilities, memory: memory).translate(
            address, pointer, access,
            for: kind == .page ? .linear(linear) : kind == .table ? .tableWalk(linear) : .noLinear)
    }

    /// What the model makes of it.
    func simulate(_ capabilities: Capabilities) -> EPTResult {
        let memory = memory()
        let end: EPTResult.End
        switch translate(access, capabilities, memory) {
        case .translated(let mapping): end = .done(effect(at: mapping.physical(address)))
        case .violation(let qualification): end = .violation(qualification, address, linear)
        case .misconfiguration: end = .misconfiguration(address)
        case .logFull: preconditionFailure("there is no log")
        }
        return EPTResult(end: end, entries: (1...4).reversed().map { memory.words[arena + offset($0)] ?? 0 })
    }

    /// What the guest shows of the page that it reached; nil for one where there is no memory.
    private func effect(at physical: UInt64) -> UInt64? {
        if kind != .page, physical &- arena >= UInt64(1) << 22 { return nil }
        if kind == .table { return EPTGuest.dataContent }
        if kind == .pagePointers { return EPTGuest.newPointer }
        guard let target = Self.targets.first(where: { arena + $0.offset == physical }) else { return nil }
        let content = EPTGuest.content(target.marker)
        return switch access {
        case .write: content & ~0xFF | 0x5A
        case .execute: linear
        case [.read, .write]: content + 1
        default: content
        }
    }

    /// Makes the access on a machine.
    func launch(_ device: Device, _ capabilities: Capabilities) throws(Problem) -> EPTResult {
        try device.write([UInt64](repeating: 0, count: 0x5000 / 8), at: 0)
        let own = EPTGuest.ownEntry(arena, sharesTop: address >> 39 == 0)
        try device.write([own.entry], at: own.offset)
        for (index, entry) in entries.enumerated() { try device.write([entry], at: offset(4 - index)) }
        for part in EPTGuest.variable(self) { try device.write(part.words, at: part.offset) }
        for target in Self.targets {
            let word =
                switch kind {
                case .page: EPTGuest.content(target.marker) << 24
                case .table: EPTGuest.entry(writes: access == .write)
                case .pagePointers: EPTGuest.newPointer
                }
            try device.write([word], at: target.offset & ~7)
        }
        let answer = try device.launch(
            EPTGuest.fields(self, arena: arena, capabilities), rdi: kind == .pagePointers ? address : linear)
        var after: [UInt64] = []
        for level in (1...4).reversed() { after.append(try device.word(at: offset(level))) }
        return EPTResult(end: try end(answer, device), entries: after)
    }

    private func end(_ answer: Answer, _ device: Device) throws(Problem) -> EPTResult.End {
        guard answer.outcome == .exited, answer[.exitReason] >> 31 == 0 else { return .other("\(EntryResult(answer))") }
        switch VMXExitReason(rawValue: UInt16(truncatingIfNeeded: answer[.exitReason])) {
        case .hlt: return .done(try shown(answer, device))
        case .eptViolation:
            return .violation(
                answer[.exitQualification], answer[.guestPhysicalAddress], answer[.guestLinearAddress])
        case .eptMisconfiguration: return .misconfiguration(answer[.guestPhysicalAddress])
        default: return .other(answer.exit)
        }
    }

    private func shown(_ answer: Answer, _ device: Device) throws(Problem) -> UInt64? {
        if access == .execute { return answer[.guestRip] }
        if kind == .pagePointers { return answer[.guestPdpte0] }
        guard !isWalk, access.contains(.write) else { return answer.rax & 0xFFFF }
        // The page that was written to is the one that differs.
        for target in Self.targets {
            let word = try device.word(at: target.offset & ~7) >> 24 & 0xFFFF
            if word != EPTGuest.content(target.marker) { return word }
        }
        return nil
    }
}
