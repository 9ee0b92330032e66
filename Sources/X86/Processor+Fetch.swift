// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    /// The instruction at RIP, from the cache if memory still holds the bytes it was decoded from.
    @inline(__always)
    mutating func fetch() throws(Trap) -> Instruction {
        let linear = bypassesSegmentation ? rip : (segments[SegmentRegister.cs].base &+ rip) & 0xFFFF_FFFF
        if linear & ~0xFFF == fetchPage, linear & 0xFFF <= 4096 - 16 {
            let host = unsafe UnsafeMutableRawPointer(bitPattern: fetchHost &+ UInt(linear)).unsafelyUnwrapped
            let low = unsafe host.loadUnaligned(as: UInt64.self)
            let high = unsafe host.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            let slot = unsafe decoded.slot(linear)
            if unsafe slot.pointee.tag == DecodeCache.tag(linear, codeSize),
                unsafe (slot.pointee.low ^ low) & slot.pointee.lowMask | (slot.pointee.high ^ high) & slot.pointee.highMask
                    == 0
            {
                let instruction = unsafe slot.pointee.instruction
                try checkFetchLimit(UInt64(instruction.length))
                return instruction
            }
        }
        return try slowFetch(linear)
    }

    @inline(__always)
    private func checkFetchLimit(_ length: UInt64) throws(Trap) {
        if !bypassesSegmentation, rip &+ length &- 1 > UInt64(segments[SegmentRegister.cs].limit) { throw .general }
    }

    @inline(never)
    private mutating func slowFetch(_ linear: UInt64) throws(Trap) -> Instruction {
        try checkFetchLimit(1)
        if bypassesSegmentation && !isCanonical(linear) { throw .general }
        let mode = privilege == 3 ? AccessMode.user : AccessMode.supervisor
        let page = linear & ~0xFFF
        let room = Int(4096 - linear & 0xFFF)
        let target = try translate(linear, .execute, mode)
        if case .host(let host) = target {
            fetchPage = page
            fetchHost = UInt(bitPattern: host) &- UInt(linear)
        }
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        var count = min(room, Decoder.longest)
        for index in 0..<count { bytes[index] = try fetchByte(target, index) }
        let instruction: Instruction
        while true {
            var decoder = Decoder(bytes, count: count, codeSize: codeSize)
            do throws(Decoder.Failure) {
                instruction = try decoder.decode()
                break
            } catch {
                switch error {
                case .tooLong: throw .general
                case .undefined: throw .undefined
                case .incomplete: break
                }
            }
            // Only now is the next page needed, and only now may it fault.
            try checkFetchLimit(UInt64(count) + 1)
            let next = try translate(advanced(linear, UInt64(room)), .execute, mode)
            let first = count
            count = Decoder.longest
            for index in first..<count { bytes[index] = try fetchByte(next, index - first) }
        }
        if room >= 16 { remember(linear, bytes, instruction) }
        try checkFetchLimit(UInt64(instruction.length))
        return instruction
    }

    private mutating func fetchByte(_ target: Target, _ index: Int) throws(Trap) -> UInt8 {
        switch target {
        case .host(let host): return unsafe host.load(fromByteOffset: index, as: UInt8.self)
        case .device(let physical):
            guard let value = bus.readDevice(physical + UInt64(index), size: 1) else { throw .refused }
            return UInt8(truncatingIfNeeded: value)
        }
    }

    private func remember(_ linear: UInt64, _ bytes: InlineArray<16, UInt8>, _ instruction: Instruction) {
        var entry = DecodeCache.Entry()
        entry.tag = DecodeCache.tag(linear, codeSize)
        entry.instruction = instruction
        for index in 0..<Int(instruction.length) {
            let shift = UInt64(index & 7) * 8
            if index < 8 {
                entry.low |= UInt64(bytes[index]) << shift
                entry.lowMask |= 0xFF << shift
            } else {
                entry.high |= UInt64(bytes[index]) << shift
                entry.highMask |= 0xFF << shift
            }
        }
        unsafe decoded.slot(linear).pointee = entry
    }
}
