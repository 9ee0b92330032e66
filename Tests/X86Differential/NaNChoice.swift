// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Which of two NaNs arithmetic gives. SSE: the first (SDM vol. 1, table 4-7); Unicorn: the one of x87's rule.
enum NaNChoice {
    static let known = KnownDifference(
        name: "SSE arithmetic on two NaNs follows the x87's rule",
        reason:
            "vol. 1, table 4-7: the first source operand; Unicorn takes the larger significand, of equal ones the positive"
    ) { context in
        let i = context.instruction
        guard i.name == "float", [0x58, 0x59, 0x5C, 0x5E].contains(i.opcode), context.ours.end == .done else {
            return nil
        }
        let width = i.mandatory == 0xF2 || i.mandatory == 0x66 ? 8 : 4
        guard let b = operand(context, width) else { return nil }
        let a = [context.start.state[half: 2 * i.reg], context.start.state[half: 2 * i.reg + 1]]
        var result = context.ours
        var applies = false
        for lane in 0..<(i.isScalar ? 1 : 16 / width) {
            let (half, shift) = (lane * width / 8, UInt64(lane * width % 8 * 8))
            let mask = UInt64.max >> UInt64(64 - 8 * width)
            let (x, y) = (a[half] >> shift & mask, b[half] >> shift & mask)
            guard isNaN(x, width), isNaN(y, width) else { continue }
            applies = true
            let word = 2 * i.reg + half
            result.state[half: word] = result.state[half: word] & ~(mask << shift) | choice(x, y, width) << shift
        }
        return applies ? result : nil
    }

    private static func operand(_ context: KnownDifference.Context, _ width: Int) -> [UInt64]? {
        let i = context.instruction
        if i.isRegister { return [context.start.state[half: 2 * i.rm], context.start.state[half: 2 * i.rm + 1]] }
        let size = i.isScalar ? width : 16
        guard let address = i.address, address >= UInt64(CaseMode.data.lowerBound),
            address <= UInt64(CaseMode.data.upperBound - size)
        else { return nil }
        return i.isScalar
            ? [context.start.read(address, width), 0]
            : [context.start.read(address, 8), context.start.read(address + 8, 8)]
    }

    private static func isNaN(_ bits: UInt64, _ width: Int) -> Bool {
        width == 8 ? Double(bitPattern: bits).isNaN : Float(bitPattern: UInt32(bits)).isNaN
    }

    /// A quiet NaN rather than a signalling one, then the larger significand, then the positive; made quiet.
    private static func choice(_ x: UInt64, _ y: UInt64, _ width: Int) -> UInt64 {
        let quiet: UInt64 = width == 8 ? 1 << 51 : 1 << 22
        let significand: UInt64 = quiet << 1 - 1
        let sign: UInt64 = quiet << (width == 8 ? 12 : 9)
        if (x & quiet == 0) != (y & quiet == 0) { return x & quiet != 0 ? x : y }
        let takesFirst = x & significand == y & significand ? x & sign < y & sign : x & significand > y & significand
        return (takesFirst ? x : y) | quiet
    }
}
