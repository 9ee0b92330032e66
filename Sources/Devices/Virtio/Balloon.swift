// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

/// Takes memory from the guest and gives it back; what it has taken, and what the guest says is free, goes to the host. Virtio 1.2, 5.5
///
/// Queues that weren't agreed on are left out, and the ones behind move up: what Linux's driver does and QEMU's device expects.
public final class Balloon: VirtioDevice {
    enum Feature {
        static let (statistics, deflateOnOOM, reporting): (UInt64, UInt64, UInt64) = (1 << 1, 1 << 2, 1 << 5)
    }
    private enum Queue { static let (inflate, deflate) = (0, 1) }
    /// What a page of the balloon's is, whatever the guest's pages are.
    static let pageSize: UInt64 = 4096
    /// A driver gives 256 at once. What more there is in a chain is let be: it must not keep the thread for long.
    static let mostPages = 16384

    private let queueSize: UInt16
    private let isDeflatedOnOOM: Bool
    /// Pages that the guest is asked to give.
    public private(set) var target: UInt32 = 0
    /// Pages that it says it has given.
    public private(set) var actual: UInt32 = 0
    /// Called when the guest has told how many pages it has given.
    public var onActual: ((UInt32) -> Void)?
    /// Called with the guest's statistics, by tag, after `requestStatistics` or when the driver starts. Virtio 1.2, 5.5.6.3
    public var onStatistics: (([UInt16: UInt64]) -> Void)?
    /// Bytes given to the host since the start, by inflating and by reports.
    public private(set) var (discarded, reported): (UInt64, UInt64) = (0, 0)

    private var link: DeviceLink?
    /// The statistics' buffer, which goes back when new ones are wanted.
    private var statisticsChain: DescriptorChain?

    public init(isDeflatedOnOOM: Bool = true, queueSize: UInt16 = 128) {
        self.isDeflatedOnOOM = isDeflatedOnOOM
        self.queueSize = queueSize
    }

    public var deviceID: UInt32 { 5 }
    public var features: UInt64 {
        Feature.statistics | Feature.reporting | (isDeflatedOnOOM ? Feature.deflateOnOOM : 0)
    }
    public var queueSizes: [UInt16] { Array(repeating: queueSize, count: 4) }

    public var configuration: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: target)
        bytes.append(little: actual)
        return bytes
    }

    public func writeConfiguration(_ offset: Int, _ bytes: [UInt8]) {
        // The driver's word is `actual`, as a whole.
        guard offset == 4, bytes.count == 4 else { return }
        actual = bytes.little(0)
        onActual?(actual)
    }

    /// Asks the guest for so many pages of 4 KiB in all.
    public func setTarget(pages: UInt32) {
        target = pages
        link?.configurationChanged()
    }

    /// Asks the guest for its statistics: false if it has no queue for them, or the last request is still open.
    public func requestStatistics() -> Bool {
        guard let link, let number = statisticsQueue, let queue = link.queue(number), let chain = statisticsChain else {
            return false
        }
        statisticsChain = nil
        link.transport?.guarded { () throws(VirtioError) in
            try link.complete(queue, chain, written: 0)
            try link.signal(number)
        }
        return true
    }

    public var counters: [(String, UInt64)] {
        [("targetPages", UInt64(target)), ("actualPages", UInt64(actual)), ("bytesDiscarded", discarded), ("bytesReported", reported)]
    }

    public func activate(_ link: DeviceLink) { self.link = link }

    public func reset() {
        link = nil
        statisticsChain = nil
        // A driver that starts anew has all of its memory.
        actual = 0
    }

    private func has(_ feature: UInt64) -> Bool { (link?.features ?? 0) & feature != 0 }
    private var statisticsQueue: Int? { has(Feature.statistics) ? 2 : nil }
    private var reportingQueue: Int? { has(Feature.reporting) ? (has(Feature.statistics) ? 3 : 2) : nil }

    public func notify(queue number: Int) throws(VirtioError) {
        guard let link else { return }
        try link.serve(number) { (chain) throws(VirtioError) in
            switch number {
            case statisticsQueue:
                // A driver has one of these under way; of more, the older ones go back.
                if let former = statisticsChain, let queue = link.queue(number) { try link.complete(queue, former, written: 0) }
                statisticsChain = chain
                try takeStatistics(chain, link.memory)
                return nil
            case reportingQueue:
                for range in chain.writable.ranges { reported += discard(range.gpa, range.count, link.memory) }
            case Queue.inflate: try inflate(chain, link.memory)
            // Pages that are given back come from the host as they are touched.
            default: break
            }
            return 0
        }
    }

    public func wake() throws(VirtioError) {
        for number in queueSizes.indices { try notify(queue: number) }
    }

    private func inflate(_ chain: DescriptorChain, _ memory: GuestMemory) throws(VirtioError) {
        var list = chain.readable
        let numbers = try list.takeFirst(4 * Self.mostPages).read(memory)
        // Neighbours go together.
        var run: (first: UInt64, count: UInt64) = (0, 0)
        for offset in stride(from: 0, to: numbers.count / 4 * 4, by: 4) {
            let page = UInt64(numbers.little(offset, as: UInt32.self))
            if run.count > 0, page == run.first + run.count {
                run.count += 1
                continue
            }
            discard(run, memory)
            run = (page, 1)
        }
        discard(run, memory)
    }

    private func discard(_ run: (first: UInt64, count: UInt64), _ memory: GuestMemory) {
        discarded += discard(run.first * Self.pageSize, Int(run.count * Self.pageSize), memory)
    }

    /// How many bytes were given back: none where they aren't memory, or the host has reasons of its own.
    private func discard(_ gpa: UInt64, _ count: Int, _ memory: GuestMemory) -> UInt64 {
        guard count > 0, (try? memory.discard(gpa, count: count)) != nil else { return 0 }
        return UInt64(count)
    }

    private func takeStatistics(_ chain: DescriptorChain, _ memory: GuestMemory) throws(VirtioError) {
        var all = chain.readable
        let bytes = try all.takeFirst(10 * 64).read(memory)
        var statistics: [UInt16: UInt64] = [:]
        for offset in stride(from: 0, to: bytes.count / 10 * 10, by: 10) {
            statistics[bytes.little(offset)] = bytes.little(offset + 2, as: UInt64.self)
        }
        onStatistics?(statistics)
    }
}
