// SPDX-License-Identifier: MIT OR GPL-2.0-only

extension DeviceLink {
    /// Does the requests of a queue, as far as a limiter lets it and `mostAtOnce` of them: for what is left then, the device is woken. Tells the driver.
    ///
    /// - Parameters:
    ///   - limiter: pays for all bytes of a chain. What it doesn't let through stays in its ring.
    ///   - body: does one request, and returns how many bytes it wrote; nil where it keeps the chain.
    func serve(
        _ number: Int, within limiter: inout RateLimiter, _ body: (DescriptorChain) throws(VirtioError) -> Int?
    ) throws(VirtioError) {
        guard let queue = queue(number) else { return }
        var left = Self.mostAtOnce
        while true {
            guard left > 0 else {
                wake(after: 0)
                break
            }
            left -= 1
            let delay = limiter.delay()
            if delay > 0 {
                throttled(for: delay)
                break
            }
            guard let chain = try queue.next() else { break }
            limiter.take(bytes: chain.readable.count + chain.writable.count)
            if let written = try body(chain) { try complete(queue, chain, written: written) }
        }
        try signal(number)
    }

    /// The same, without a limit of the user's.
    func serve(_ number: Int, _ body: (DescriptorChain) throws(VirtioError) -> Int?) throws(VirtioError) {
        var unlimited = RateLimiter()
        try serve(number, within: &unlimited, body)
    }

    /// Gives a chain back, and counts it.
    func complete(_ queue: any Virtqueue, _ chain: DescriptorChain, written: Int) throws(VirtioError) {
        try queue.complete(chain, written: written)
        transport?.counters.requests += 1
        transport?.counters.bytesFromGuest += UInt64(chain.readable.count)
        transport?.counters.bytesToGuest += UInt64(written)
    }

    /// A limiter lets nothing through now: the device is woken when it does.
    func throttled(for nanoseconds: UInt64) {
        transport?.counters.throttled += 1
        wake(after: nanoseconds)
    }
}
