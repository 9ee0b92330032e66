// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import TestMachine

/// A number on the command line: 0x1f, 0b101, 0o17 or 31.
struct NumberArgument: ExpressibleByArgument {
    let value: UInt64

    init?(argument: String) {
        guard let value = parseNumber(argument) else { return nil }
        self.value = value
    }
}

/// A register and its value: rax=0x2.
struct RegisterArgument: ExpressibleByArgument {
    let register: Register
    let value: UInt64

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let register = Register(rawValue: parts[0].lowercased()),
            Register.general.contains(register), let value = parseNumber(parts[1])
        else { return nil }
        self.register = register
        self.value = value
    }
}

/// Guest memory: [SLOT:]BASE:SIZE[:ro], the size with K, M or G if need be.
struct MemoryArgument: ExpressibleByArgument {
    let slot: UInt32?
    let base: UInt64
    let size: UInt64
    let isReadOnly: Bool

    init?(argument: String) {
        var parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        isReadOnly = parts.last == "ro"
        if isReadOnly { parts.removeLast() }
        guard parts.count == 2 || parts.count == 3, let size = parseSize(parts[parts.count - 1]),
            let base = parseNumber(parts[parts.count - 2])
        else { return nil }
        if parts.count == 3 {
            guard let number = parseNumber(parts[0]), let slot = UInt32(exactly: number) else { return nil }
            self.slot = slot
        } else {
            slot = nil
        }
        self.base = base
        self.size = size
    }
}

/// One of an enumeration, by its name.
struct OneOf<Value: RawRepresentable<String> & CaseIterable>: ExpressibleByArgument {
    let value: Value

    init?(argument: String) {
        guard let value = Value(rawValue: argument) else { return nil }
        self.value = value
    }

    static var allValueStrings: [String] { Value.allCases.map(\.rawValue) }
}
