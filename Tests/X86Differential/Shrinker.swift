// SPDX-License-Identifier: MIT OR GPL-2.0-only
import X86

/// Makes failing cases small, and tells them.
enum Shrinker {
    /// The least case that still differs: fewer instructions, then registers and memory of zeros.
    static func least(_ test: Case, _ differs: (Case) -> Bool) -> Case {
        var best = test
        func attempt(_ change: (inout Case) -> Void) {
            var candidate = best
            change(&candidate)
            if differs(candidate) { best = candidate }
        }
        for index in best.instructions.indices.reversed() where best.instructions.count > 1 {
            guard index < best.instructions.count else { continue }
            // What defines flags stays as long as the instruction that leaves them undefined.
            if best.instructions[index].name == Undefined.definer.name { continue }
            let next = index + 1
            let isFollowed = next < best.instructions.count && best.instructions[next].name == Undefined.definer.name
            attempt { $0.instructions.removeSubrange(index...(isFollowed ? next : index)) }
        }
        for word in 0..<CaseState.count where ![16, 17, 18].contains(word) && best.start.words[word] != 0 {
            attempt { $0.start.words[word] = 0 }
        }
        attempt { $0.start.flags = 2 }
        // Memory in halves, down to single words.
        var size = best.memory.count
        while size >= 8 {
            for start in stride(from: 0, to: best.memory.count, by: size)
            where best.memory[start..<(start + min(size, best.memory.count - start))].contains(where: { $0 != 0 }) {
                attempt { for index in start..<min(start + size, $0.memory.count) { $0.memory[index] = 0 } }
            }
            size /= 8
        }
        return best
    }

    static func describe(_ test: Case, _ text: String) -> String {
        let code = test.instructions.map { "\($0.name) [\($0.bytes.map { byte($0) }.joined(separator: " "))]" }
        let words = test.start.words.enumerated().filter { ![17, 18].contains($0.offset) && $0.element != 0 }
            .map { "\(CaseState.name($0.offset))=\(hex($0.element))" }
        let memory = stride(from: 0, to: test.memory.count, by: 8).compactMap { start -> String? in
            let bytes = test.memory[start..<(start + 8)]
            if bytes.allSatisfy({ $0 == 0 }) { return nil }
            return "[\(hex(start + CaseMode.data.lowerBound))]=\(bytes.map { byte($0) }.joined())"
        }
        let shown = memory.prefix(8) + (memory.count > 8 ? ["and \(memory.count - 8) more words of memory"] : [])
        return "\(test.mode): \(code.joined(separator: "; ")): \(text); from flags=\(hex(test.start.flags)) "
            + (words + shown).joined(separator: " ")
    }

    private static func byte(_ value: UInt8) -> String { (value < 16 ? "0" : "") + hex(value) }
}
