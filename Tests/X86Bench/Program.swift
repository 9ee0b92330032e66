// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc

/// One of test_misc/bench's programs, with how many instructions it has, and how often its loop runs.
struct Program {
    /// What it measures, for people.
    var title: String
    var file: String
    /// Instructions of one round, a repetition of REP counted as one.
    var round: UInt64
    var rounds: UInt64
    /// Rounds on engines that take very long with it.
    var slowRounds: UInt64

    static let all = [
        Program(title: "integer loop", file: "loop", round: 8, rounds: 10_000_000, slowRounds: 10_000_000),
        Program(title: "memory copy", file: "copy", round: 517, rounds: 400_000, slowRounds: 20_000),
        Program(title: "page tables", file: "paging", round: 530, rounds: 40_000, slowRounds: 40_000),
    ]

    static let loadAddress = 0x1000
    static let pageTables = 0x9000
    static let memorySize = 4 << 20

    /// The bytes of memory at the start: the program, and page tables as `likex run --mode long64` makes them, which map
    /// the first GiB to itself.
    func image(_ folder: String) -> [UInt8] {
        var memory = [UInt8](repeating: 0, count: Self.memorySize)
        let code = bytes("\(folder)/\(file).bin")
        memory.replaceSubrange(Self.loadAddress..<(Self.loadAddress + code.count), with: code)
        func put(_ value: UInt64, _ address: Int) {
            for index in 0..<8 { memory[address + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
        }
        put(UInt64(Self.pageTables + 0x1000) | 3, Self.pageTables)
        put(UInt64(Self.pageTables + 0x2000) | 3, Self.pageTables + 0x1000)
        for index in 0..<512 { put(UInt64(index) << 21 | 0x83, Self.pageTables + 0x2000 + 8 * index) }
        return memory
    }

    private func bytes(_ path: String) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY)
        guard descriptor >= 0 else { fail("\(path) isn't there: `make -C test_misc bench` builds it") }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 0x7000)
        let count = unsafe read(descriptor, &buffer, buffer.count)
        guard count > 0 else { fail("\(path) is empty or can't be read") }
        return Array(buffer.prefix(count))
    }
}

/// Ends the process with a message (write(2)) and status 2.
func fail(_ text: String) -> Never {
    let message = Array("x86-bench: \(text)\n".utf8)
    _ = unsafe write(STDERR_FILENO, message, message.count)
    exit(2)
}
