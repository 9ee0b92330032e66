// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// The caches of translations that VMX adds to a processor: guest-physical mappings and paging-structure entries, tagged
/// by EPT, and the tags of combined mappings, which the interpreter's own TLB holds. SDM vol. 3, 29.4.
///
/// They are as lazy as a processor may be: what is cached is used until an instruction or an event that the SDM names ends
/// it, whatever memory says meanwhile. The size is fixed and the replacement deterministic.
public struct TranslationCaches {
    /// What ends cached translations.
    public enum Invalidation: Sendable, Equatable {
        case ept(UInt64)
        case allEPT
        case address(vpid: UInt16, linear: UInt64)
        case vpid(UInt16)
        case vpidKeepingGlobals(UInt16)
        case allVPIDs
    }

    /// What the interpreter's TLB has to forget.
    public enum Forgotten: Sendable, Equatable {
        case context(Int)
        case contextKeepingGlobals(Int)
        case address(context: Int, linear: UInt64)
    }

    private struct Entry {
        var ept: UInt64 = .max
        var page: UInt64 = .max
        var mapping = EPTMapping(base: 0, shift: 12, access: [], isDirty: false, memoryType: 6)
    }

    private struct Structure {
        var ept: UInt64 = .max
        var region: UInt64 = .max
        var start = EPTWalker.Start(table: 0, level: 1, access: [])
    }

    static let mappingCapacity = 1024
    static let structureCapacity = 64

    private let capabilities: Capabilities
    private var mappings = [Entry](repeating: Entry(), count: mappingCapacity)
    private var structures = [Structure](repeating: Structure(), count: structureCapacity)
    private var contexts = TranslationContexts(capacity: 64)
    private var forgotten: [Forgotten] = []
    /// The context that runs now.
    public private(set) var context = 0
    private var tag = TranslationTag(vpid: 0, pcid: 0, ept: nil)
    /// How often a translation came from the caches, and how often from memory.
    public private(set) var hits = 0
    public private(set) var walks = 0

    init(capabilities: Capabilities) { self.capabilities = capabilities }

    /// What the interpreter's TLB has to forget since the last call, in order.
    public mutating func takeForgotten() -> [Forgotten] {
        defer { forgotten.removeAll(keepingCapacity: true) }
        return forgotten
    }

    /// Translates a guest-physical address, from what is cached where it can be.
    public mutating func translate(
        _ guestPhysical: UInt64, _ pointer: EPTPointer, _ access: EPTAccess, for purpose: EPTPurpose,
        log: PageModificationLog? = nil, memory: any PhysicalMemory
    ) -> EPTOutcome {
        let page = guestPhysical >> 12
        let slot = Int(truncatingIfNeeded: page & UInt64(Self.mappingCapacity - 1))
        var wanted = access
        if pointer.usesAccessedDirty, case .tableWalk = purpose { wanted.insert(.write) }
        let entry = mappings[slot]
        if entry.page == page, entry.ept == pointer.table, entry.mapping.access.isSuperset(of: wanted),
            entry.mapping.isDirty || !wanted.contains(.write)
        {
            hits += 1
            return .translated(entry.mapping)
        }
        walks += 1
        let walker = EPTWalker(capabilities, memory: memory)
        let region = guestPhysical >> 21
        let place = Int(truncatingIfNeeded: region & UInt64(Self.structureCapacity - 1))
        let structure = structures[place]
        let isCached = structure.region == region && structure.ept == pointer.table
        var last: EPTWalker.Start?
        let outcome = walker.walk(
            guestPhysical, pointer, access, purpose, log,
            from: isCached ? structure.start : EPTWalker.Start(table: pointer.table, level: 4, access: .all),
            lastTable: &last)
        switch outcome {
        case .translated(let mapping):
            mappings[slot] = Entry(ept: pointer.table, page: page, mapping: mapping)
            if let last { structures[place] = Structure(ept: pointer.table, region: region, start: last) }
        case .violation, .misconfiguration:
            // A violation ends what led to it. SDM vol. 3, 29.4.3.1.
            if entry.page == page, entry.ept == pointer.table { mappings[slot] = Entry() }
            if isCached { structures[place] = Structure() }
        case .logFull: break
        }
        return outcome
    }

    /// Drops what the caches hold for one guest-physical address, as an EPT violation on it does.
    public mutating func violated(_ guestPhysical: UInt64, _ pointer: EPTPointer, linear: UInt64?) {
        let slot = Int(truncatingIfNeeded: guestPhysical >> 12 & UInt64(Self.mappingCapacity - 1))
        if mappings[slot].ept == pointer.table, mappings[slot].page == guestPhysical >> 12 { mappings[slot] = Entry() }
        if let linear { forgotten.append(.address(context: context, linear: linear)) }
    }

    mutating func invalidate(_ what: Invalidation) {
        switch what {
        case .ept(let table): dropEPT { $0 == table }
        case .allEPT: dropEPT { _ in true }
        case .address(let vpid, let linear):
            forget({ $0.vpid == vpid }) { .address(context: $0, linear: linear) }
        case .vpid(let vpid): forget({ $0.vpid == vpid }) { .context($0) }
        case .vpidKeepingGlobals(let vpid): forget({ $0.vpid == vpid }) { .contextKeepingGlobals($0) }
        case .allVPIDs: forget({ $0.vpid != 0 }) { .context($0) }
        }
    }

    private mutating func dropEPT(_ matches: (UInt64) -> Bool) {
        for index in mappings.indices where mappings[index].ept != .max && matches(mappings[index].ept) {
            mappings[index] = Entry()
        }
        for index in structures.indices where structures[index].ept != .max && matches(structures[index].ept) {
            structures[index] = Structure()
        }
        // Combined mappings go too; linear ones have nothing to do with EPT.
        forget({ tag in tag.ept.map(matches) ?? false }) { .context($0) }
    }

    private mutating func forget(_ matches: (TranslationTag) -> Bool, _ make: (Int) -> Forgotten) {
        for number in contexts.numbers(where: matches) { forgotten.append(make(number)) }
    }

    /// VM entry: the tag that the guest runs with; without VPIDs nothing of VPID 0 survives. SDM vol. 3, 29.4.3.1.
    mutating func enter(_ vmcs: VMCS, pcid: UInt16) {
        let hasVPID = vmcs.has(Proc2Control.enableVpid)
        if !hasVPID { invalidate(.vpid(0)) }
        tag = TranslationTag(
            vpid: hasVPID ? UInt16(truncatingIfNeeded: vmcs[.vpid]) : 0, pcid: pcid,
            ept: vmcs.has(Proc2Control.enableEpt) ? EPTPointer(rawValue: vmcs[.eptPointer]).table : nil)
        select()
    }

    mutating func leave(_ vmcs: VMCS) {
        if !vmcs.has(Proc2Control.enableVpid) { invalidate(.vpid(0)) }
    }

    /// The guest loads another PCID.
    public mutating func select(pcid: UInt16) {
        tag.pcid = pcid
        select()
    }

    private mutating func select() {
        let (number, mustForget) = contexts.number(of: tag)
        if mustForget { forgotten.append(.context(number)) }
        context = number
    }
}
