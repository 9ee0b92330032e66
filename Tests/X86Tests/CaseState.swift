// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a differential case starts from, and what both engines end with.
struct CaseState: Equatable, Sendable {
    var registers = [UInt64](repeating: 0, count: 16)
    var rip: UInt64 = 0
    var flags: UInt64 = 2
    /// Pairs of low and high halves.
    var xmm = [UInt64](repeating: 0, count: 32)
    /// `Case.window`.
    var memory = [UInt8](repeating: 0, count: Case.window.count)
}

/// How an engine's run ended.
enum CaseEnd: Equatable, Sendable {
    case done
    case exception
}

/// What an engine made of a case; the vector of an exception if the engine tells it.
struct EngineResult: Sendable {
    var end: CaseEnd
    var state: CaseState
    var vector: UInt8?
}

/// One program with its start.
struct Case {
    var mode: Mode
    /// Instructions one after the other, with what is known of each.
    var instructions: [GeneratedInstruction]
    var start: CaseState

    var code: [UInt8] { Array(instructions.map(\.bytes).joined()) }

    /// RAM is below this, in each engine and mode; all else faults.
    static let memorySize = 0x10_0000
    /// Where code may be. Unicorn (2.0.1) may run what it translated before code changed, so that each run has a place of its own.
    static func codeRange(_ mode: Mode) -> Range<Int> { 0x4000..<(mode == .bits16 ? 0xF000 : memorySize) }
    /// The memory that is set at the start and compared at the end.
    static let window = 0..<0x3000
}
