// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the machine's memory is used for, as /proc/meminfo says, in KiB; and how many threads there are.
struct MemoryUse: Equatable, Sendable {
    private let fields: [String: Int]
    let threads: Int

    /// - Parameters:
    ///   - meminfo: /proc/meminfo.
    ///   - loadavg: /proc/loadavg, whose fourth field is running/all threads.
    init?(meminfo: String, loadavg: String) {
        var fields: [String: Int] = [:]
        for line in meminfo.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            if words.count >= 2, let number = Int(words[1]) { fields[String(words[0])] = number }
        }
        let words = loadavg.split(separator: " ")
        guard fields["MemFree"] != nil, words.count >= 4, let all = words[3].split(separator: "/").last,
            let threads = Int(all)
        else { return nil }
        self.fields = fields
        self.threads = threads
    }

    /// KiB of all that isn't free.
    func used(since before: MemoryUse) -> Int { before["MemFree"] - self["MemFree"] }

    /// By how many KiB a field has grown.
    func growth(_ field: String, since before: MemoryUse) -> Int { self[field] - before[field] }

    private subscript(_ field: String) -> Int { fields[field] ?? 0 }
}
