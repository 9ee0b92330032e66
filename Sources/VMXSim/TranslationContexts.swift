// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What combined mappings are tagged with. SDM vol. 3, 29.4.1.
public struct TranslationTag: Sendable, Hashable {
    /// 0 where VPIDs are off: shared with the host.
    public var vpid: UInt16
    public var pcid: UInt16
    /// The EPT's top table; nil for linear mappings, without EPT.
    public var ept: UInt64?
}

/// Small numbers for tags, for a TLB that has few bits for them. A number is given to another tag only after what was
/// cached under it is gone.
public struct TranslationContexts: Sendable {
    private var tags: [TranslationTag?]
    private var next = 0

    /// - Parameter capacity: how many numbers there are; the oldest is reused first.
    init(capacity: Int) { tags = Array(repeating: nil, count: capacity) }

    /// The tag's number; and whether it was another's, whose translations must be forgotten now.
    mutating func number(of tag: TranslationTag) -> (number: Int, mustForget: Bool) {
        if let known = tags.firstIndex(of: tag) { return (known, false) }
        let number = next
        next = (next + 1) % tags.count
        defer { tags[number] = tag }
        return (number, tags[number] != nil)
    }

    /// The numbers whose tags `matches`.
    func numbers(where matches: (TranslationTag) -> Bool) -> [Int] {
        tags.indices.filter { index in tags[index].map(matches) ?? false }
    }
}
