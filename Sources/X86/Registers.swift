// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A fixed number of values in memory of its own, each reached in place.
///
/// An `InlineArray` in a structure is copied whole by the compiler (6.3) for each access at a variable index, which makes the
/// interpreter four times slower.
@safe public struct RegisterFile<let count: Int, Value: BitwiseCopyable>: ~Copyable {
    private let base: UnsafeMutablePointer<Value>

    init(repeating value: Value) {
        unsafe base = .allocate(capacity: count)
        unsafe base.initialize(repeating: value, count: count)
    }

    deinit { unsafe base.deallocate() }

    public subscript(number: Int) -> Value {
        @inline(__always) unsafeAddress {
            precondition(UInt(bitPattern: number) < UInt(bitPattern: count))
            return unsafe UnsafePointer(base + number)
        }
        @inline(__always) unsafeMutableAddress {
            precondition(UInt(bitPattern: number) < UInt(bitPattern: count))
            return unsafe base + number
        }
    }

    @inline(__always)
    subscript(number: UInt8) -> Value {
        get { self[Int(number)] }
        set { self[Int(number)] = newValue }
    }

    /// The values, to be put back by `restore`.
    func saved() -> InlineArray<count, Value> { InlineArray { index in unsafe base[index] } }
    func restore(_ values: InlineArray<count, Value>) {
        for index in 0..<count { unsafe base[index] = values[index] }
    }
}

/// The general registers in their encoding's order, then RIP, then a slot that stays zero.
///
/// The two extra slots let an address be computed without a branch: a missing base or index is the zero slot, and a
/// RIP-relative operand has RIP as its base.
enum Registers {
    static let instructionPointer: UInt8 = 16
    static let zero: UInt8 = 17
}

/// Numbers of the general registers that instructions use implicitly.
public enum Register {
    public static let rax = 0
    public static let rcx = 1
    public static let rdx = 2
    public static let rbx = 3
    public static let rsp = 4
    public static let rbp = 5
    public static let rsi = 6
    public static let rdi = 7
    public static let r11 = 11
}
