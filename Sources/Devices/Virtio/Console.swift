// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A console with one port. Virtio 1.2, 5.3
public final class Console: VirtioDevice {
    private enum Queue { static let (receive, transmit) = (0, 1) }
    private static let sizeFeature: UInt64 = 1 << 0
    /// Of one chain, copied out at once.
    static let mostBytes = 65536

    private let queueSize: UInt16
    private let sink: ([UInt8]) -> Int
    /// Called when the driver has given buffers, so that more can be given to `receive`.
    public var onInputRoom: (() -> Void)?
    private var columns: UInt16 = 0
    private var rows: UInt16 = 0
    private var link: DeviceLink?
    /// What the sink didn't take, of the chain that is being sent.
    private var unsent: [UInt8] = []
    private var rest: (chain: DescriptorChain, left: GuestRanges)?

    /// - Parameter sink: takes bytes that the guest sends, and says how many; after fewer than all, `resumeOutput` says when it can
    ///   take more.
    public init(queueSize: UInt16 = 128, sink: @escaping ([UInt8]) -> Int) {
        self.queueSize = queueSize
        self.sink = sink
    }

    public var deviceID: UInt32 { 3 }
    public var features: UInt64 { Self.sizeFeature }
    public var queueSizes: [UInt16] { [queueSize, queueSize] }

    public var configuration: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: columns)
        bytes.append(little: rows)
        bytes.append(little: UInt32(1))  // ports
        bytes.append(little: UInt32(0))  // emergency write: not offered
        return bytes
    }

    /// The terminal has another size now, which the driver is told.
    public func resize(columns: UInt16, rows: UInt16) {
        (self.columns, self.rows) = (columns, rows)
        link?.configurationChanged()
    }

    /// The guest has a driver for it.
    public var isActive: Bool { link != nil }

    public func activate(_ link: DeviceLink) { self.link = link }

    public func reset() {
        link = nil
        unsent = []
        rest = nil
    }

    public func notify(queue number: Int) throws(VirtioError) {
        if number == Queue.receive { onInputRoom?() } else { try send() }
    }

    public func wake() throws(VirtioError) { try send() }

    /// Bytes for the guest. Returns how many of them fit; the rest is to be offered again after `onInputRoom`.
    public func receive(_ bytes: [UInt8]) -> Int {
        guard let link, let queue = link.queue(Queue.receive) else { return 0 }
        var done = 0
        link.transport?.guarded { () throws(VirtioError) in
            while done < bytes.count, let chain = try queue.next() {
                let count = try chain.writable.write(bytes[done...], link.memory)
                try link.complete(queue, chain, written: count)
                done += count
            }
            try link.signal(Queue.receive)
        }
        return done
    }

    /// The sink has room again.
    public func resumeOutput() {
        link?.transport?.guarded { () throws(VirtioError) in try send() }
    }

    private func send() throws(VirtioError) {
        guard let link, let queue = link.queue(Queue.transmit) else { return }
        var left = DeviceLink.mostAtOnce
        while try flush(queue, link), left > 0, let chain = try queue.next() {
            rest = (chain, chain.readable)
            left -= 1
        }
        if left == 0 { link.wake(after: 0) }
        try link.signal(Queue.transmit)
    }

    /// Gives the sink what there is of the chain that is being sent, piece by piece. True when there is nothing left.
    private func flush(_ queue: any Virtqueue, _ link: DeviceLink) throws(VirtioError) -> Bool {
        while true {
            if !unsent.isEmpty {
                unsent.removeFirst(min(unsent.count, max(0, sink(unsent))))
                guard unsent.isEmpty else { return false }
            }
            guard let (chain, left) = rest else { return true }
            guard left.count > 0 else {
                try link.complete(queue, chain, written: 0)
                rest = nil
                return true
            }
            var remaining = left
            unsent = try remaining.takeFirst(Self.mostBytes).read(link.memory)
            rest = (chain, remaining)
        }
    }
}
