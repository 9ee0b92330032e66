// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a walk of the page tables found.
struct WalkResult {
    var physical: UInt64
    var sizeShift: UInt8 = 12
    var isUser = true
    var isWritable = true
    var isExecutable = true
    /// Whether the dirty bit is set, so that writes need no further walk.
    var isDirty = true
    var isGlobal = false
}

extension Processor {
    /// The target of one access: from the TLB, or by walking the page tables and asking the bus.
    mutating func translate(_ linear: UInt64, _ access: Access, _ mode: UInt16) throws(Trap) -> Target {
        let permission: UInt16 = 1 << (mode + UInt16(access.rawValue))
        if let host = unsafe translations.lookup(linear, size: 1, permission: permission) {
            return unsafe .host(host)
        }
        let walk = cr0 & CR0.paging != 0 ? try self.walk(linear, access, mode) : WalkResult(physical: linear)
        let request = PageRequest(physical: walk.physical, access: access, linear: linear, isTableWalk: false)
        switch bus.page(request) {
        case .device: return .device(walk.physical)
        case .refused: throw .refused
        case .memory(let host, let allowed):
            translations.insert(
                linear,
                Translation(
                    tag: 0, host: UInt(bitPattern: host) &- UInt(linear & ~0xFFF), physicalPage: walk.physical & ~0xFFF,
                    permissions: permissions(walk, allowed), sizeShift: walk.sizeShift, isGlobal: walk.isGlobal))
            return unsafe .host(host + Int(walk.physical & 0xFFF))
        }
    }

    /// The accesses that need no walk while the translation lives, as bits by `AccessMode`.
    private func permissions(_ walk: WalkResult, _ allowed: AllowedAccess) -> UInt16 {
        let user = walk.isUser
        let smap = cr4 & CR4.smap != 0 && user
        let smep = cr4 & CR4.smep != 0 && user
        let supervisorWrite = walk.isDirty && (walk.isWritable || cr0 & CR0.writeProtect == 0)
        var bits: UInt16 = 0
        func add(_ mode: UInt16, _ access: Access, _ condition: Bool) {
            if condition && allowed.rawValue >> UInt16(access.rawValue) & 1 != 0 {
                bits |= 1 << (mode + UInt16(access.rawValue))
            }
        }
        add(AccessMode.supervisor, .read, !smap)
        add(AccessMode.supervisor, .write, !smap && supervisorWrite)
        add(AccessMode.supervisor, .execute, walk.isExecutable && !smep)
        add(AccessMode.supervisorOverride, .read, true)
        add(AccessMode.supervisorOverride, .write, supervisorWrite)
        add(AccessMode.supervisorOverride, .execute, walk.isExecutable && !smep)
        add(AccessMode.user, .read, user)
        add(AccessMode.user, .write, user && walk.isWritable && walk.isDirty)
        add(AccessMode.user, .execute, user && walk.isExecutable)
        return bits
    }

    /// Walks the guest's page tables (SDM vol. 3, 4.3-4.6), sets accessed and dirty bits, raises #PF.
    private mutating func walk(_ linear: UInt64, _ access: Access, _ mode: UInt16) throws(Trap) -> WalkResult {
        let shape = PagingShape(cr4: cr4, isLongMode: isLongMode)
        var result = WalkResult(physical: 0)
        var table = cr3 & (shape.entrySize == 4 ? 0xFFFF_F000 : 0x000F_FFFF_FFFF_F000)
        var level = shape.levels
        if shape == .pae {
            let pointer = pageDirectoryPointers[Int(linear >> 30) & 3]
            guard pointer & 1 != 0 else { throw pageFault(linear, access, mode, present: false) }
            table = pointer & 0x000F_FFFF_FFFF_F000
        }
        var used = InlineArray<4, (address: UInt64, value: UInt64)>(repeating: (0, 0))
        var depth = 0
        var leaf: UInt64 = 0
        while true {
            let address = table &+ shape.index(linear, level) &* UInt64(shape.entrySize)
            let entry = try readTable(address, shape.entrySize, linear)
            guard entry & PageEntry.present != 0 else { throw pageFault(linear, access, mode, present: false) }
            let isLeaf = level == 1 || shape.mayBeLarge(level, cr4: cr4) && entry & PageEntry.large != 0
            if entry & reservedBits(shape, level, isLeaf: isLeaf) != 0 {
                throw pageFault(linear, access, mode, present: true, reserved: true)
            }
            if entry & PageEntry.writable == 0 { result.isWritable = false }
            if entry & PageEntry.user == 0 { result.isUser = false }
            if entry & PageEntry.noExecute != 0 { result.isExecutable = false }
            used[depth] = (address, entry)
            depth += 1
            if isLeaf {
                leaf = entry
                break
            }
            table = entry & (shape.entrySize == 4 ? 0xFFFF_F000 : 0x000F_FFFF_FFFF_F000)
            level -= 1
        }
        guard isPermitted(result, access, mode) else { throw pageFault(linear, access, mode, present: true) }
        for index in 0..<depth {
            var value = used[index].value | PageEntry.accessed
            if index == depth - 1 && access == .write { value |= PageEntry.dirty }
            if value != used[index].value {
                try writeTable(used[index].address, shape.entrySize, value, linear)
            }
        }
        result.isDirty = leaf & PageEntry.dirty != 0 || access == .write
        result.isGlobal = leaf & PageEntry.global != 0 && cr4 & CR4.globalPages != 0
        result.sizeShift = shape.shift(level)
        let offsetMask = (UInt64(1) << UInt64(result.sizeShift)) - 1
        result.physical = shape.frame(leaf, level) & ~offsetMask | linear & offsetMask
        return result
    }

    private func isPermitted(_ walk: WalkResult, _ access: Access, _ mode: UInt16) -> Bool {
        let allowed = permissions(
            WalkResult(
                physical: 0, isUser: walk.isUser, isWritable: walk.isWritable, isExecutable: walk.isExecutable), .all)
        return allowed >> (mode + UInt16(access.rawValue)) & 1 != 0
    }

    /// Bits that must be zero in an entry (SDM vol. 3, tables 4-14 to 4-20).
    private func reservedBits(_ shape: PagingShape, _ level: Int, isLeaf: Bool) -> UInt64 {
        if shape == .legacy {
            return isLeaf && level == 2 ? 1 << 21 : 0
        }
        let beyond = ~((UInt64(1) << UInt64(physicalAddressBits)) - 1)
        var reserved = beyond & (shape == .pae ? 0x7FFF_FFFF_FFFF_F000 : 0x000F_FFFF_FFFF_F000)
        if efer & EFER.noExecute == 0 { reserved |= PageEntry.noExecute }
        if level == 4 { reserved |= PageEntry.large }
        if isLeaf && level > 1 {
            reserved |= ((UInt64(1) << UInt64(shape.shift(level))) - 1) & ~0x1FFF
        }
        return reserved
    }

    private mutating func pageFault(
        _ linear: UInt64, _ access: Access, _ mode: UInt16, present: Bool, reserved: Bool = false
    ) -> Trap {
        faultAddress = linear
        translations.forget(linear: linear)
        var code: UInt32 = present ? 1 : 0
        if access == .write { code |= 2 }
        if mode == AccessMode.user { code |= 4 }
        if reserved { code |= 8 }
        let tellsFetches = efer & EFER.noExecute != 0 && cr4 & CR4.physicalAddressExtension != 0 || cr4 & CR4.smep != 0
        if access == .execute && tellsFetches { code |= 16 }
        return .exception(ProcessorException.pageFault, code)
    }

    /// Reads an entry of a paging structure at a physical address.
    mutating func readTable(_ physical: UInt64, _ size: UInt8, _ linear: UInt64) throws(Trap) -> UInt64 {
        switch bus.page(PageRequest(physical: physical, access: .read, linear: linear, isTableWalk: true)) {
        case .memory(let host, _): return unsafe hostLoad(host + Int(physical & 0xFFF), size)
        case .refused: throw .refused
        case .device:
            guard let value = bus.readDevice(physical, size: Int(size)) else { throw .refused }
            return value
        }
    }

    private mutating func writeTable(
        _ physical: UInt64, _ size: UInt8, _ value: UInt64, _ linear: UInt64
    ) throws(Trap) {
        switch bus.page(PageRequest(physical: physical, access: .write, linear: linear, isTableWalk: true)) {
        case .memory(let host, _): unsafe hostStore(host + Int(physical & 0xFFF), size, value)
        case .refused: throw .refused
        case .device:
            guard bus.writeDevice(physical, size: Int(size), value: value) else { throw .refused }
        }
    }
}
