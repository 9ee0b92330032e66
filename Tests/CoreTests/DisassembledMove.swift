// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension Move {
    /// Reads objdump's AT&T text. nil where it is not a MOV between memory and a general register or an immediate.
    /// `addressBytes` is what the prefixes say, for addresses without registers.
    init?(disassembled text: String, addressBytes: Int) {
        var words = text.split(separator: " ").map(String.init)
        if let comment = words.firstIndex(of: "#") { words = Array(words[..<comment]) }
        // Prefixes without an effect are printed as words of their own.
        let ineffective: Set = ["data16", "data32", "addr16", "addr32", "cs", "ds", "es", "ss", "fs", "gs"]
        while let first = words.first, ineffective.contains(first) || first.hasPrefix("rex") { words.removeFirst() }
        guard words.count == 2, let kind = Self.mnemonics[words[0]] else { return nil }
        let operands = Self.splitOperands(words[1])
        guard operands.count == 2 else { return nil }

        if let memory = Self.memory(operands[1], addressBytes: addressBytes) {
            guard case .plain(let suffix) = kind else { return nil }
            if operands[0].hasPrefix("$") {
                guard let suffix, let value = Self.number(operands[0].dropFirst()) else { return nil }
                self.init(
                    write: true, accessBytes: suffix, operandBytes: suffix, immediate: Int64(bitPattern: value),
                    operand: memory)
                return
            }
            guard let register = Self.register(operands[0]) else { return nil }
            self.init(
                write: true, accessBytes: register.bytes, operandBytes: register.bytes, register: register.number,
                highByte: register.high, operand: memory)
            return
        }
        guard let memory = Self.memory(operands[0], addressBytes: addressBytes),
            let register = Self.register(operands[1])
        else {
            return nil
        }
        self.init(
            write: false, accessBytes: register.bytes, operandBytes: register.bytes, register: register.number,
            highByte: register.high, operand: memory)
        if case .extend(let bytes, let signed) = kind {
            accessBytes = bytes ?? min(4, register.bytes)
            signExtend = signed
        }
    }

    private enum Kind {
        case plain(Int?)
        /// From how many bytes; nil: MOVSXD's, 4 but for a 16-bit destination.
        case extend(Int?, signed: Bool)
    }

    private static let mnemonics: [String: Kind] = [
        "mov": .plain(nil), "movabs": .plain(nil), "movb": .plain(1), "movw": .plain(2), "movl": .plain(4),
        "movq": .plain(8),
        "movzbw": .extend(1, signed: false), "movzbl": .extend(1, signed: false), "movzbq": .extend(1, signed: false),
        "movzww": .extend(2, signed: false), "movzwl": .extend(2, signed: false), "movzwq": .extend(2, signed: false),
        "movsbw": .extend(1, signed: true), "movsbl": .extend(1, signed: true), "movsbq": .extend(1, signed: true),
        "movsww": .extend(2, signed: true), "movswl": .extend(2, signed: true), "movswq": .extend(2, signed: true),
        "movzb": .extend(1, signed: false), "movzw": .extend(2, signed: false), "movsw": .extend(2, signed: true),
        "movslq": .extend(nil, signed: true), "movsxd": .extend(nil, signed: true),
        "movsll": .extend(nil, signed: true),
    ]

    /// At the commas outside of parentheses.
    private static func splitOperands(_ text: String) -> [Substring] {
        var depth = 0
        var parts: [Substring] = []
        var start = text.startIndex
        for index in text.indices {
            switch text[index] {
            case "(": depth += 1
            case ")": depth -= 1
            case "," where depth == 0:
                parts.append(text[start..<index])
                start = text.index(after: index)
            default: break
            }
        }
        return parts + [text[start...]]
    }

    private static func number(_ text: Substring) -> UInt64? {
        let negative = text.hasPrefix("-")
        let digits = text.drop { $0 == "-" }
        guard digits.hasPrefix("0x"), let value = UInt64(digits.dropFirst(2), radix: 16) else { return nil }
        return negative ? 0 &- value : value
    }

    private static func register(_ text: Substring) -> (number: Int, bytes: Int, high: Bool)? {
        guard text.hasPrefix("%") else { return nil }
        let name = String(text.dropFirst())
        if let number = RegisterNames.high.firstIndex(of: name) { return (number, 1, true) }
        for bytes in [1, 2, 4, 8] {
            if let number = RegisterNames.of(bytes: bytes).firstIndex(of: name) { return (number, bytes, false) }
        }
        return nil
    }

    private static func memory(_ text: Substring, addressBytes: Int) -> MemoryOperand? {
        var rest = text
        var operand = MemoryOperand(addressBytes: addressBytes)
        if rest.hasPrefix("%") {
            guard let colon = rest.firstIndex(of: ":"),
                let segment = RegisterNames.segment.firstIndex(of: String(rest[..<colon].dropFirst()))
            else { return nil }
            operand.segment = segment
            rest = rest[rest.index(after: colon)...]
        }
        guard let open = rest.firstIndex(of: "(") else {
            guard let displacement = number(rest) else { return nil }
            operand.displacement = Int64(bitPattern: displacement)
            return operand
        }
        if open != rest.startIndex {
            guard let displacement = number(rest[..<open]) else { return nil }
            operand.displacement = Int64(bitPattern: displacement)
        }
        let parts = rest[rest.index(after: open)...].dropLast().split(separator: ",", omittingEmptySubsequences: false)
        for (position, part) in parts.enumerated() {
            switch (position, part) {
            case (_, ""), (_, "%riz"), (_, "%eiz"): break
            case (0, "%rip"), (0, "%eip"): operand.ripRelative = true
            case (2, _): operand.scale = Int(part) ?? 0
            default:
                guard let register = register(part) else { return nil }
                if position == 0 { operand.base = register.number } else { operand.index = register.number }
            }
        }
        return operand
    }
}
