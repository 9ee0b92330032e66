// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

extension KnownDifferences {
    /// Wrong results of instructions on bits.
    static let bits: [KnownDifference] = [
        KnownDifference(
            name: "PDEP and PEXT swap their operands", reason: "vol. 2, PDEP, PEXT: the mask is the ModRM operand"
        ) {
            guard let mask = $0.source, $0.ours.end == .done else { return nil }
            let value = $0.start.state[$0.instruction.vvvv] & UInt64.max >> UInt64(64 - $0.bits)
            switch $0.instruction.name {
            case "pdep": return $0.with($0.instruction.reg, BitModel.deposit(mask, under: value))
            case "pext": return $0.with($0.instruction.reg, BitModel.extract(mask, under: value))
            default: return nil
            }
        },
        KnownDifference(
            name: "BZHI beyond the operand clears the top bit",
            reason: "vol. 2, BZHI: an index of the operand's size or more clears nothing"
        ) {
            let index = $0.start.state[$0.instruction.vvvv] & 0xFF
            guard $0.instruction.name == "bzhi", $0.ours.end == .done, index >= UInt64($0.bits), let source = $0.source
            else { return nil }
            let result = source & ~(1 << UInt64($0.bits - 1))
            var predicted = $0.with(flags: result == 0 ? Flag.zero : 0, in: Flag.zero | Flag.sign)
            predicted.state[$0.instruction.reg] = result
            return predicted
        },
        KnownDifference(
            name: "BZHI of all but the top bit sets CF",
            reason: "vol. 2, BZHI: CF is set when the index is beyond the operand's last bit"
        ) {
            let index = $0.start.state[$0.instruction.vvvv] & 0xFF
            guard $0.instruction.name == "bzhi", $0.ours.end == .done, index == UInt64($0.bits - 1) else { return nil }
            return $0.with(flags: Flag.carry, in: Flag.carry)
        },
        KnownDifference(
            name: "BEXTR takes bits from beyond a 32-bit operand, and never the top bit",
            reason:
                "vol. 2, BEXTR: zeros come from beyond the operand, and a length beyond it takes all bits that there are"
        ) {
            guard $0.instruction.name == "bextr", $0.ours.end == .done, var source = $0.source else { return nil }
            if $0.instruction.isRegister && $0.mode == .bits64 { source = $0.start.state[$0.instruction.rm] }
            let control = $0.start.state[$0.instruction.vvvv]
            let (first, length, last) = (control & 0xFF, control >> 8 & 0xFF, UInt64($0.bits - 1))
            let result = first > last ? 0 : source >> first & ((1 << min(length, last)) - 1)
            guard result != $0.ours.state[$0.instruction.reg] else { return nil }
            var predicted = $0.with(flags: result == 0 ? Flag.zero : 0, in: Flag.zero)
            predicted.state[$0.instruction.reg] = result
            return predicted
        },
        KnownDifference(name: "BLSI inverts CF", reason: "vol. 2, BLSI: CF is set when the source isn't zero") {
            guard $0.instruction.name == "blsi", $0.ours.end == .done else { return nil }
            return $0.with(flags: ~$0.ours.state.flags, in: Flag.carry)
        },
        KnownDifference(
            name: "CRC32 in 16-bit code has its sizes swapped",
            reason:
                "vol. 2, CRC32: the operand size is the code segment's unless 66 changes it; Unicorn has 32 bits without 66 and 16 with it"
        ) {
            guard $0.mode == .bits16, $0.instruction.name == "crc32", $0.instruction.opcode == 0xF1,
                $0.ours.end == .done
            else {
                return nil
            }
            let size = 6 - $0.instruction.size
            let source: UInt64
            if $0.instruction.isRegister {
                source = $0.start.state[$0.instruction.rm]
            } else {
                // At the end of memory the wider operand isn't there.
                guard let address = $0.instruction.address, address <= UInt64(CaseMode.data.upperBound - size) else {
                    return $0.anything
                }
                source = $0.start.read(address, size)
            }
            return $0.with($0.instruction.reg, BitModel.crc32(UInt32($0.start.state[$0.instruction.reg]), source, size))
        },
    ]
}
