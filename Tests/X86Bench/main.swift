// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Runs test_misc/bench's programs on the interpreter, and on Unicorn where it is installed; `make bench-sim` calls it.
// Prints a JSON array of the best of some runs: workload, engine, instructions, seconds of processor time.
import Glibc

/// Processor time of this process in seconds: other programs' work doesn't count.
func processorTime() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

guard CommandLine.arguments.count == 3, let runs = Int(CommandLine.arguments[2]), runs > 0 else {
    fail("usage: x86-bench FOLDER RUNS, where FOLDER has the programs (build/bench)")
}

/// One measurement as a JSON object.
@MainActor func measure(_ engine: String, _ program: Program, _ rounds: UInt64, _ run: () -> Double) -> String {
    let best = (0..<runs).map { _ in run() }.min() ?? 0
    return "{\"workload\": \"\(program.title)\", \"engine\": \"\(engine)\", "
        + "\"instructions\": \(rounds * program.round), \"seconds\": \(best)}"
}

let folder = CommandLine.arguments[1]
var results: [String] = []
for program in Program.all {
    results.append(measure("X86", program, program.rounds) { interpreterTime(program, folder) })
    #if canImport(CUnicorn)
        results.append(measure("Unicorn", program, program.slowRounds) { unicornTime(program, folder) })
    #endif
}
print("[\(results.joined(separator: ",\n "))]")
