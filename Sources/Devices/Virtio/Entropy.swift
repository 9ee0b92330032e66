// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

/// Random numbers from the host's getrandom(2). Virtio 1.2, 5.4
public final class Entropy: VirtioDevice {
    /// A driver asks for 64 bytes or so; a hostile one must not keep the thread for long.
    static let mostBytes = 65536

    private let queueSize: UInt16
    private var limiter: RateLimiter
    private var link: DeviceLink?

    public init(queueSize: UInt16 = 64, limiter: RateLimiter = RateLimiter()) {
        self.queueSize = queueSize
        self.limiter = limiter
    }

    public var deviceID: UInt32 { 4 }
    public var features: UInt64 { 0 }
    public var queueSizes: [UInt16] { [queueSize] }
    public var configuration: [UInt8] { [] }
    public func activate(_ link: DeviceLink) { self.link = link }
    public func reset() { link = nil }
    public func wake() throws(VirtioError) { try notify(queue: 0) }

    public func notify(queue number: Int) throws(VirtioError) {
        guard let link else { return }
        try link.serve(number, within: &limiter) { (chain) throws(VirtioError) in
            var all = chain.writable
            return try fill(all.takeFirst(Self.mostBytes), link.memory)
        }
    }

    private func fill(_ wanted: GuestRanges, _ memory: GuestMemory) throws(VirtioError) -> Int {
        var done = 0
        for range in wanted.ranges {
            let count = try reaching { () throws(GuestMemoryError) in
                try unsafe memory.withHostRange(range.gpa, range.count) { unsafe Host.random($0) }
            }
            done += count
            if count < range.count { break }
        }
        return done
    }
}
