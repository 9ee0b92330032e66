// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// A virtual-machine control structure: every field of the table, each as wide as its encoding says, and the launch state.
/// SDM vol. 3, 25.2 and appendix B.
public final class VMCS {
    /// SDM vol. 3, 25.11.3 "Initializing a VMCS".
    public enum LaunchState: Sendable { case clear, launched }

    /// Where a field is in the store: its width, its type and its index, without the gaps between.
    static let slots = 512
    /// The first quadword of a VMCS region holds the revision and the abort indicator; fields follow.
    static let header: UInt64 = 8

    private var values = InlineArray<512, UInt64>(repeating: 0)
    public internal(set) var launchState = LaunchState.clear

    public init() {}

    @inline(__always)
    static func slot(_ encoding: UInt32) -> Int {
        Int(truncatingIfNeeded: (encoding >> 13 & 3) << 7 | (encoding >> 10 & 3) << 5 | (encoding >> 1 & 31))
    }

    /// What is left of a value in a field of this encoding's width. SDM vol. 3, table 25-21.
    @inline(__always)
    static func mask(_ encoding: UInt32) -> UInt64 {
        switch encoding >> 13 & 3 {
        case 0: 0xFFFF
        case 2: 0xFFFF_FFFF
        default: .max
        }
    }

    /// A field's value, zero-extended; what is set is cut to the field's width.
    public subscript(field: VMCSField) -> UInt64 {
        @inline(__always) get { values[Self.slot(field.rawValue)] }
        @inline(__always) set { self[encoding: field.rawValue] = newValue }
    }

    /// The same by encoding, which must be one of the table's.
    @inline(__always)
    subscript(encoding encoding: UInt32) -> UInt64 {
        get { values[Self.slot(encoding)] }
        set { values[Self.slot(encoding)] = newValue & Self.mask(encoding) }
    }

    // Controls by name.
    @inline(__always) public func has(_ bit: PinControl) -> Bool { self[.pinControls] & bit.mask != 0 }
    @inline(__always) public func has(_ bit: ProcControl) -> Bool { self[.procControls] & bit.mask != 0 }
    /// Secondary controls count as 0 unless they are activated. SDM vol. 3, 25.6.2.
    @inline(__always) public func has(_ bit: Proc2Control) -> Bool {
        has(ProcControl.secondaryControls) && self[.proc2Controls] & bit.mask != 0
    }
    @inline(__always) public func has(_ bit: ExitControl) -> Bool { self[.exitControls] & bit.mask != 0 }
    @inline(__always) public func has(_ bit: EntryControl) -> Bool { self[.entryControls] & bit.mask != 0 }

    /// Puts the fields into memory, as VMCLEAR does with what the processor has cached of them.
    func save(to memory: some PhysicalMemory, at region: UInt64) {
        // The last slot is no field's, and would be beyond the page.
        for slot in 0..<Self.slots - 1 { memory.store(region + Self.header + UInt64(slot) * 8, values[slot]) }
    }

    /// Takes the fields from memory, as VMPTRLD does with a VMCS that isn't active.
    func restore(from memory: some PhysicalMemory, at region: UInt64) {
        for slot in 0..<Self.slots - 1 { values[slot] = memory.load(region + Self.header + UInt64(slot) * 8) }
    }
}
