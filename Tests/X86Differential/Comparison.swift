// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// What comes of comparing two engines' results.
enum Comparison {
    case same
    /// Exactly the difference that is known under this name.
    case known(String)
    case different(String)

    /// - Parameter excuses: what the other engine is known to do otherwise.
    init(_ test: Case, _ ours: EngineResult, _ theirs: EngineResult, excuses: [KnownDifference]) {
        guard let last = test.instructions.last else {
            self = .same
            return
        }
        let isSingle = test.instructions.count == 1
        // Faults leave the state as it was before the last instruction; from a sequence that ends without one, all is defined.
        let before = isSingle ? EngineResult(end: .done, state: test.start, memory: test.memory) : ours
        let source = Self.source(last, before.state, before)
        let undefined = isSingle ? Undefined.after(last, test.start, source: source) : Undefined()
        guard let text = Self.difference(ours, theirs, undefined) else {
            self = .same
            return
        }
        if isSingle || ours.end != .done {
            let context = KnownDifference.Context(
                mode: test.mode, instruction: last, isInBlock: !isSingle, start: before, source: source, ours: ours,
                theirs: theirs)
            for known in excuses {
                if var predicted = known.predict(context) {
                    if !isSingle { predicted = KnownDifferences.imprecise(predicted, theirs) }
                    if Self.difference(predicted, theirs, undefined) == nil {
                        self = .known(known.name)
                        return
                    }
                }
            }
        }
        self = .different(text)
    }

    /// The value of an instruction's ModRM operand.
    static func source(_ i: GeneratedInstruction, _ state: CaseState, _ memory: EngineResult) -> UInt64? {
        let mask = UInt64.max >> UInt64(64 - 8 * i.size)
        guard i.modRM != nil else { return nil }
        if i.isRegister {
            if i.size == 1 && i.rex == 0 && i.rm & 4 != 0 { return state[i.rm & 3] >> 8 & 0xFF }
            return state[i.rm] & mask
        }
        guard let address = i.address.flatMap({ Int(exactly: $0) }) else { return nil }
        let (data, code) = (CaseMode.data, CaseMode.code)
        if address >= data.lowerBound && address <= data.upperBound - i.size {
            return memory.read(UInt64(address), i.size)
        }
        // All code memory but the case's own is HLT.
        let own = Int(state.rip)..<(Int(state.rip) + i.bytes.count)
        guard address >= code.lowerBound, address <= code.upperBound - i.size,
            !own.overlaps(address..<(address + i.size))
        else {
            return nil
        }
        return 0xF4F4_F4F4_F4F4_F4F4 & mask
    }

    /// The first difference in what is defined, or nil.
    private static func difference(_ ours: EngineResult, _ theirs: EngineResult, _ undefined: Undefined) -> String? {
        if ours.end != theirs.end { return "X86 ends with \(ours.end), the other with \(theirs.end)" }
        if undefined.destination { return nil }
        if ours.state.words != theirs.state.words {
            for word in 0..<CaseState.count where ours.state.words[word] != theirs.state.words[word] {
                var (a, b) = (ours.state.words[word], theirs.state.words[word])
                if word == undefined.register { continue }
                if word == 18 || word == 19 { continue }
                if word == 17 {
                    let mask = (Flag.status | Flag.direction) & ~(ours.end == .done ? undefined.flags : 0)
                    (a, b) = (a & mask, b & mask)
                    if a == b { continue }
                }
                return "\(CaseState.name(word)): X86 \(hex(a)), the other \(hex(b))"
            }
        }
        if !ours.hasSameMemory(as: theirs),
            let index = ours.memory.indices.first(where: { ours.memory[$0] != theirs.memory[$0] })
        {
            return
                "memory at \(hex(UInt64(index + CaseMode.data.lowerBound))): X86 \(hex(ours.memory[index])), the other "
                + hex(theirs.memory[index])
        }
        return nil
    }
}

func hex<T: BinaryInteger>(_ value: T) -> String { String(value, radix: 16) }
