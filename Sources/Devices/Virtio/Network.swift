// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A network card on a tap of the host's. Virtio 1.2, 5.1
///
/// Packets go through with virtio-net's header of 12 bytes, so that checksums and segmentation are left to who does them best: what
/// the guest agreed to receive is what the tap is told to give.
public final class Network: VirtioDevice {
    enum Queue { static let (receive, transmit) = (0, 1) }

    enum Feature {
        static let (checksum, guestChecksum, mtu, mac): (UInt64, UInt64, UInt64, UInt64) = (
            1 << 0, 1 << 1, 1 << 3, 1 << 5
        )
        static let (guestTSO4, guestTSO6, guestECN): (UInt64, UInt64, UInt64) = (1 << 7, 1 << 8, 1 << 9)
        static let (hostTSO4, hostTSO6, hostECN): (UInt64, UInt64, UInt64) = (1 << 11, 1 << 12, 1 << 13)
        static let (mergeable, status): (UInt64, UInt64) = (1 << 15, 1 << 16)
        static let offloads =
            checksum | guestChecksum | guestTSO4 | guestTSO6 | guestECN | hostTSO4 | hostTSO6 | hostECN
    }

    static let headerSize = 12
    /// The largest packet of IP with Ethernet's header and a VLAN's, and ours.
    static let mostBytes = 65535 + 18 + headerSize

    let tap: HostFile
    private let hasOffloads: Bool
    private let mac: [UInt8]
    private let mtu: UInt16?
    private let queueSize: UInt16
    private var receiveLimiter: RateLimiter
    private var transmitLimiter: RateLimiter
    private var link: DeviceLink?

    /// The tap was deleted, or its other side is closed: nothing comes from there any more, which would be told again and again.
    private var isGone = false
    /// A packet from the tap that the driver has no room for yet, with its header.
    private var pending: [UInt8]?
    /// Chains taken for it that are too small together.
    private var held: [DescriptorChain] = []
    private var buffer: [UInt8] = []
    /// Packets: those that the host took from the guest, those that the guest got, and those that were lost here.
    private var (sent, received, dropped): (UInt64, UInt64, UInt64) = (0, 0, 0)

    /// - Parameters:
    ///   - tap: opened with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR, without blocking; or any descriptor that reads and writes packets
    ///     with that header.
    ///   - isTap: whether it can be told what the guest takes.
    ///   - mac: six bytes.
    public init(
        _ tap: HostFile, isTap: Bool = true, mac: [UInt8], mtu: UInt16? = nil, queueSize: UInt16 = 256,
        receiveLimiter: RateLimiter = RateLimiter(), transmitLimiter: RateLimiter = RateLimiter()
    ) throws(HostError) {
        precondition(mac.count == 6, "a MAC address of \(mac.count) bytes")
        self.tap = tap
        (hasOffloads, self.mac, self.mtu, self.queueSize) = (isTap, mac, mtu, queueSize)
        (self.receiveLimiter, self.transmitLimiter) = (receiveLimiter, transmitLimiter)
        if isTap, case .failure(let error) = tap.configureTap(offload: 0) { throw error }
    }

    public var deviceID: UInt32 { 1 }
    public var queueSizes: [UInt16] { [queueSize, queueSize] }
    public var features: UInt64 {
        Feature.mac | Feature.status | Feature.mergeable | (mtu != nil ? Feature.mtu : 0)
            | (hasOffloads ? Feature.offloads : 0)
    }

    public var configuration: [UInt8] {
        var bytes = mac
        bytes.append(little: UInt16(1))  // the link is up
        bytes.append(little: UInt16(1))  // queue pairs
        bytes.append(little: mtu ?? 1500)
        return bytes
    }

    public var counters: [(String, UInt64)] { [("packetsSent", sent), ("packetsReceived", received), ("packetsDropped", dropped)] }

    public func activate(_ link: DeviceLink) throws(VirtioError) {
        self.link = link
        if hasOffloads {
            // TUN_F_CSUM, TSO4, TSO6 and TSO_ECN of <linux/if_tun.h>
            var flags: UInt32 = 0
            if link.features & Feature.guestChecksum != 0 {
                flags |= 1
                if link.features & Feature.guestTSO4 != 0 { flags |= 2 }
                if link.features & Feature.guestTSO6 != 0 { flags |= 4 }
                if flags != 1, link.features & Feature.guestECN != 0 { flags |= 8 }
            }
            // A tap that had been told nothing of these now gives whole packets, which every driver takes.
            _ = tap.configureTap(offload: flags)
        }
        link.watch(tap.descriptor, .read)
    }

    public func reset() {
        link?.unwatch(tap.descriptor)
        link = nil
        pending = nil
        held = []
        isGone = false
    }

    public func notify(queue: Int) throws(VirtioError) {
        if queue == Queue.receive { try receive() } else { try transmit() }
    }

    public func ready(_ descriptor: Int32, _ events: PollEvents) throws(VirtioError) { try receive() }

    public func wake() throws(VirtioError) {
        try receive()
        try transmit()
    }

    // MARK: To the host

    private func transmit() throws(VirtioError) {
        guard let link else { return }
        try link.serve(Queue.transmit, within: &transmitLimiter) { (chain) throws(VirtioError) in
            guard chain.readable.count >= Self.headerSize else { throw .badRequest("has no network header") }
            // What the host doesn't take is lost, as on any network.
            if chain.readable.count <= Self.mostBytes, case .success = try tap.writePacket(chain.readable, link.memory) {
                sent += 1
            } else {
                dropped += 1
            }
            return 0
        }
    }

    // MARK: From the host

    private func receive() throws(VirtioError) {
        guard let link, let queue = link.queue(Queue.receive) else { return }
        // After so many, the poll loop tells again of what is in the tap.
        var (left, isWaitingForTap) = (DeviceLink.mostAtOnce, false)
        while true {
            if pending == nil {
                let delay = receiveLimiter.delay()
                if delay > 0 {
                    link.throttled(for: delay)
                    break
                }
                pending = left > 0 ? readPacket() : nil
                left -= 1
                if let pending { receiveLimiter.take(bytes: pending.count) }
            }
            guard let packet = pending else {
                isWaitingForTap = true
                break
            }
            guard try deliver(packet, queue, link) else { break }
            pending = nil
        }
        // What lies in the tap must not call again and again while there is no room or no budget.
        if isGone { link.unwatch(tap.descriptor) } else { link.watch(tap.descriptor, isWaitingForTap ? .read : []) }
        try link.signal(Queue.receive)
    }

    private func readPacket() -> [UInt8]? {
        if buffer.isEmpty { buffer = Array(repeating: 0, count: Self.mostBytes) }
        switch tap.read(into: &buffer) {
        case .success(let count) where count >= Self.headerSize: return Array(buffer[..<count])
        case .success(let count): isGone = count == 0
        case .failure(let error): isGone = error.errno != HostError.tryAgain
        }
        return nil
    }

    /// Puts a packet into the driver's buffers; false if there aren't enough of them yet.
    private func deliver(_ packet: [UInt8], _ queue: any Virtqueue, _ link: DeviceLink) throws(VirtioError) -> Bool {
        let isMergeable = link.features & Feature.mergeable != 0
        while held.isEmpty || isMergeable && held.reduce(0, { $0 + $1.writable.count }) < packet.count {
            guard held.count < Int(queueSize) else { throw .badRequest("of a whole queue has no room for one packet") }
            guard let chain = try queue.next() else { return false }
            guard chain.writable.count >= Self.headerSize else { throw .badRequest("has no room for a network header") }
            held.append(chain)
        }
        // Without merging, a packet that doesn't fit is lost, and its chain is for the next one.
        guard isMergeable || held[0].writable.count >= packet.count else {
            dropped += 1
            return true
        }
        var bytes = packet
        // num_buffers, which the tap leaves to us.
        bytes.replaceSubrange(
            10..<12, with: [UInt8(truncatingIfNeeded: held.count), UInt8(truncatingIfNeeded: held.count >> 8)])
        var done = 0
        for chain in held {
            let count = try chain.writable.write(bytes[done...], link.memory)
            try link.complete(queue, chain, written: count)
            done += count
        }
        received += 1
        held = []
        return true
    }
}
