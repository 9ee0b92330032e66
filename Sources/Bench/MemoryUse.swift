// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the machine's memory is used for, as /proc/meminfo says, in KiB; and how many threads there are. Free is also what each CPU keeps for itself.
struct MemoryUse: Equatable, Sendable {
    private let fields: [String: Int]
    private let free: Int
    let threads: Int

    /// - Parameters:
    ///   - meminfo: /proc/meminfo.
    ///   - zoneinfo: /proc/zoneinfo. A CPU's free pages, with huge ones up to tens of MiB, are not in MemFree.
    ///   - loadavg: /proc/loadavg, whose fourth field is running/all threads.
    init?(meminfo: String, zoneinfo: String, loadavg: String) {
        var fields: [String: Int] = [:]
        for line in meminfo.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            if words.count >= 2, let number = Int(words[1]) { fields[String(words[0])] = number }
        }
        let words = loadavg.split(separator: " ")
        guard let free = fields["MemFree"], words.count >= 4, let all = words[3].split(separator: "/").last,
            let threads = Int(all)
        else { return nil }
        let kept = zoneinfo.split(separator: "\n").map { $0.split(separator: " ") }.filter { $0.first == "count:" }
        self.free = kept.reduce(free) { $0 + (Int($1.last ?? "") ?? 0) * Self.pageKiB }
        self.fields = fields
        self.threads = threads
    }

    private static let pageKiB = 4

    /// KiB of all that isn't free.
    func used(since before: MemoryUse) -> Int { before.free - free }

    /// By how many KiB a field has grown.
    func growth(_ field: String, since before: MemoryUse) -> Int { self[field] - before[field] }

    private subscript(_ field: String) -> Int { fields[field] ?? 0 }
}
