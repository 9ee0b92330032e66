// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Processor {
    @inline(__always) var isProtected: Bool { cr0 & CR0.protection != 0 }
    @inline(__always) var isVirtual8086: Bool { flags & Flag.virtual8086 != 0 && isProtected }
    /// Real or virtual-8086: segments are 16 times the selector.
    @inline(__always) var hasRealSegments: Bool { !isProtected || flags & Flag.virtual8086 != 0 }
    @inline(__always) var isLongMode: Bool { efer & EFER.longModeActive != 0 }
    @inline(__always) public var is64Bit: Bool { codeSize == 8 }
    @inline(__always) var ioPrivilege: UInt8 { UInt8(truncatingIfNeeded: flags >> 12) & 3 }

    /// Whether an external interrupt may be delivered now.
    public var acceptsInterrupts: Bool { flags & Flag.interrupt != 0 && interruptShadow == .none }
    /// Whether an NMI may be delivered now.
    public var acceptsNMI: Bool { !blocksNMI && interruptShadow != .stackSegment }

    /// Computes what the fast paths use from the architectural state. Runs at the start of each `step` and `run`, and after
    /// every instruction that changes a mode.
    public mutating func refreshMode() {
        flags |= Flag.fixed
        let code = segments[SegmentRegister.cs]
        if isLongMode && code.isLong {
            codeSize = 8
            instructionPointerMask = .max
            stackMask = .max
            stackSize = 8
            bypassesSegmentation = true
        } else {
            codeSize = code.isBig ? 4 : 2
            instructionPointerMask = 0xFFFF_FFFF
            let big = segments[SegmentRegister.ss].isBig
            stackMask = big ? 0xFFFF_FFFF : 0xFFFF
            stackSize = big ? 4 : 2
            bypassesSegmentation = false
        }
        refreshAccess()
    }

    /// The part of `refreshMode` that EFLAGS.AC, the privilege and DR7 decide.
    mutating func refreshAccess() {
        fetchPage = .max
        hasBreakpoints = debugRegisters[7] & 0xFF != 0
        checksAlignment = privilege == 3 && flags & Flag.alignmentCheck != 0 && cr0 & CR0.alignmentMask != 0
        if checksAlignment || hasBreakpoints && hasDataBreakpoints {
            dataMode = AccessMode.checked
        } else {
            dataMode = architecturalDataMode
        }
    }

    var architecturalDataMode: UInt16 {
        if privilege == 3 { return AccessMode.user }
        return flags & Flag.alignmentCheck != 0 ? AccessMode.supervisorOverride : AccessMode.supervisor
    }
}
