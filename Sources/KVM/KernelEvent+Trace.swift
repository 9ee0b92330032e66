// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension KernelEvent {
    /// A line of a tracefs file, its clock the TSC: `likex-812 [001] d..1. 5513310912: likex_entry: vcpu 0 rip 0x1000`.
    /// nil for a line that is none of LiKeX's events.
    public init?(traceLine line: Substring) {
        guard let mark = line.firstRange(of: ": likex_") else { return nil }
        let stamp = line[..<mark.lowerBound].split(separator: " ").last
        let rest = line[mark.upperBound...]
        guard let stamp, let time = UInt64(stamp), let colon = rest.firstRange(of: ": ") else { return nil }
        let fields = Fields(rest[colon.upperBound...])
        guard let vcpu = fields["vcpu"].flatMap({ UInt32(exactly: $0) }),
            let what = What(event: rest[..<colon.lowerBound], fields)
        else { return nil }
        self.init(time: time, vcpu: vcpu, what: what)
    }

    /// `name value` pairs, and words that stand alone.
    fileprivate struct Fields {
        private var values: [Substring: UInt64] = [:]
        private var words: Set<Substring> = []

        init(_ text: Substring) {
            let all = text.split(separator: " ")
            for (index, word) in all.enumerated() {
                words.insert(word)
                guard index > 0 else { continue }
                values[all[index - 1]] =
                    word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : UInt64(word, radix: 10)
            }
        }

        subscript(name: String) -> UInt64? { values[name[...]] }
        func has(_ word: String) -> Bool { words.contains(word[...]) }
        func narrow<Number: FixedWidthInteger>(_ name: String) -> Number? { self[name].flatMap { Number(exactly: $0) } }
    }
}

extension KernelEvent.What {
    fileprivate init?(event: Substring, _ fields: KernelEvent.Fields) {
        switch event {
        case "entry":
            guard let rip = fields["rip"] else { return nil }
            self = .entry(rip: rip)
        case "exit":
            guard let reason: UInt32 = fields.narrow("reason"), let qualification = fields["qualification"],
                let rip = fields["rip"], let interruption: UInt32 = fields.narrow("interruption"),
                let vectoring: UInt32 = fields.narrow("vectoring")
            else { return nil }
            self = .exit(
                reason: reason, qualification: qualification, rip: rip, interruption: interruption, vectoring: vectoring
            )
        case "inject":
            guard let info: UInt32 = fields.narrow("info"), let error: UInt32 = fields.narrow("error") else {
                return nil
            }
            self = .inject(info: info, error: error)
        case "fault":
            guard let gpa = fields["gpa"], let qualification = fields["qualification"] else { return nil }
            self = .fault(GuestAddress(gpa), qualification: qualification)
        case "mmio":
            guard let gpa = fields["gpa"], let count: Int = fields.narrow("len"), let data = fields["data"] else {
                return nil
            }
            self = .mmio(GuestAddress(gpa), count: count, isWrite: fields.has("write"), data: data)
        case "pio":
            guard let port: UInt16 = fields.narrow("port"), let size: Int = fields.narrow("size"),
                let count: Int = fields.narrow("count")
            else { return nil }
            self = .port(port, size: size, count: count, isInput: fields.has("in"))
        default: return nil
        }
    }
}
