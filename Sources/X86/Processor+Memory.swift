// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Where an access goes after translation.
@safe enum Target {
    case host(UnsafeMutableRawPointer)
    case device(UInt64)
}

/// Loads 1, 2, 4 or 8 bytes, little-endian, at any alignment.
@inline(__always)
func hostLoad(_ host: UnsafeMutableRawPointer, _ size: UInt8) -> UInt64 {
    switch size {
    case 1: unsafe UInt64(host.load(as: UInt8.self))
    case 2: unsafe UInt64(host.loadUnaligned(as: UInt16.self))
    case 4: unsafe UInt64(host.loadUnaligned(as: UInt32.self))
    default: unsafe host.loadUnaligned(as: UInt64.self)
    }
}

@inline(__always)
func hostStore(_ host: UnsafeMutableRawPointer, _ size: UInt8, _ value: UInt64) {
    switch size {
    case 1: unsafe host.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case 2: unsafe host.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
    case 4: unsafe host.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
    default: unsafe host.storeBytes(of: value, as: UInt64.self)
    }
}

extension Processor {
    /// Reads linear memory with the running code's rights.
    @inline(__always)
    mutating func load(_ linear: UInt64, _ size: UInt8) throws(Trap) -> UInt64 {
        if let host = unsafe translations.lookup(linear, size: UInt64(size), permission: 1 &<< dataMode) {
            return unsafe hostLoad(host, size)
        }
        return try slowLoad(linear, size, .read, dataMode)
    }

    /// Reads linear memory that will be written next: faults as the write would.
    @inline(__always)
    mutating func loadForWrite(_ linear: UInt64, _ size: UInt8) throws(Trap) -> UInt64 {
        if let host = unsafe translations.lookup(linear, size: UInt64(size), permission: 2 &<< dataMode) {
            return unsafe hostLoad(host, size)
        }
        return try slowLoad(linear, size, .write, dataMode)
    }

    /// Faults as a write would, and does nothing: a device sees no load that the instruction doesn't make.
    @inline(__always)
    mutating func checkWritable(_ linear: UInt64, _ size: UInt8) throws(Trap) {
        if unsafe translations.lookup(linear, size: UInt64(size), permission: 2 &<< dataMode) == nil {
            try slowCheckWritable(linear, size, dataMode)
        }
    }

    @inline(__always)
    mutating func store(_ linear: UInt64, _ size: UInt8, _ value: UInt64) throws(Trap) {
        if let host = unsafe translations.lookup(linear, size: UInt64(size), permission: 2 &<< dataMode) {
            unsafe hostStore(host, size, value)
        } else {
            try slowStore(linear, size, value, dataMode)
        }
    }

    /// Reads descriptor tables and the like: as supervisor, whatever the privilege.
    mutating func loadSystem(_ linear: UInt64, _ size: UInt8) throws(Trap) -> UInt64 {
        try slowLoad(linear, size, .read, AccessMode.supervisor)
    }

    mutating func storeSystem(_ linear: UInt64, _ size: UInt8, _ value: UInt64) throws(Trap) {
        try slowStore(linear, size, value, AccessMode.supervisor)
    }

    /// The linear address `distance` bytes on: outside 64-bit mode, addresses wrap at 4 GiB.
    @inline(__always)
    func advanced(_ linear: UInt64, _ distance: UInt64) -> UInt64 {
        let next = linear &+ distance
        return isLongMode ? next : next & 0xFFFF_FFFF
    }

    @inline(never)
    mutating func slowLoad(_ linear: UInt64, _ size: UInt8, _ access: Access, _ mode: UInt16) throws(Trap) -> UInt64 {
        if mode == AccessMode.checked { try checkAlignment(linear, size) }
        let room = 4096 - linear & 0xFFF
        if UInt64(size) <= room {
            return try targetLoad(try target(linear, access, size, mode), size)
        }
        // Both pages are translated before either is read.
        let first = try target(linear, access, size, mode)
        let second = try target(advanced(linear, room), access, size, mode)
        var value: UInt64 = 0
        for index in 0..<UInt64(size) {
            let byte =
                try index < room
                ? targetLoad(moved(first, index), 1) : targetLoad(moved(second, index - room), 1)
            value |= byte << (8 * index)
        }
        return value
    }

    @inline(never)
    mutating func slowStore(_ linear: UInt64, _ size: UInt8, _ value: UInt64, _ mode: UInt16) throws(Trap) {
        if mode == AccessMode.checked { try checkAlignment(linear, size) }
        let room = 4096 - linear & 0xFFF
        if UInt64(size) <= room {
            return try targetStore(try target(linear, .write, size, mode), size, value)
        }
        let first = try target(linear, .write, size, mode)
        let second = try target(advanced(linear, room), .write, size, mode)
        for index in 0..<UInt64(size) {
            let target = index < room ? moved(first, index) : moved(second, index - room)
            try targetStore(target, 1, value >> (8 * index))
        }
    }

    @inline(never)
    private mutating func slowCheckWritable(_ linear: UInt64, _ size: UInt8, _ mode: UInt16) throws(Trap) {
        if mode == AccessMode.checked { try checkAlignment(linear, size) }
        let room = 4096 - linear & 0xFFF
        _ = try target(linear, .write, size, mode)
        if UInt64(size) > room { _ = try target(advanced(linear, room), .write, size, mode) }
    }

    /// #AC, for user code that asked for it (SDM vol. 3, 6.15, "Alignment Check Exception").
    private func checkAlignment(_ linear: UInt64, _ size: UInt8) throws(Trap) {
        if checksAlignment && linear & UInt64(size &- 1) != 0 { throw .exception(ProcessorException.alignmentCheck) }
    }

    private func moved(_ target: Target, _ distance: UInt64) -> Target {
        switch target {
        case .host(let pointer): return unsafe .host(pointer + Int(distance))
        case .device(let physical): return .device(physical + distance)
        }
    }

    private mutating func targetLoad(_ target: Target, _ size: UInt8) throws(Trap) -> UInt64 {
        switch target {
        case .host(let pointer): return unsafe hostLoad(pointer, size)
        case .device(let physical):
            guard let value = bus.readDevice(physical, size: Int(size)) else { throw .refused }
            return value & sizeMask(size)
        }
    }

    private mutating func targetStore(_ target: Target, _ size: UInt8, _ value: UInt64) throws(Trap) {
        switch target {
        case .host(let pointer): unsafe hostStore(pointer, size, value)
        case .device(let physical):
            guard bus.writeDevice(physical, size: Int(size), value: value & sizeMask(size)) else { throw .refused }
        }
    }

    /// Translates one access that lies within a page as far as this page is concerned; notes data breakpoints.
    private mutating func target(
        _ linear: UInt64, _ access: Access, _ size: UInt8, _ mode: UInt16
    ) throws(Trap) -> Target {
        guard mode == AccessMode.checked else { return try translate(linear, access, mode) }
        let result = try translate(linear, access, architecturalDataMode)
        noteDataBreakpoints(linear, UInt64(size), isWrite: access == .write)
        return result
    }
}
