// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// One connection between a port of the guest's and a stream of the host's: its state, and what is due.
final class VsockConnection {
    /// Bytes that the guest may send ahead of what the stream has taken. Virtio 1.2, 5.10.6.3
    static let allocation: UInt32 = 256 << 10
    /// Of data in one packet.
    static let mostInPacket = 64 << 10

    struct Ports: Hashable {
        let host: UInt32
        let guest: UInt32
    }

    /// Packets that are to be sent as soon as the guest has a buffer for them.
    struct Due: OptionSet {
        let rawValue: UInt8
        static let request = Due(rawValue: 1)
        static let response = Due(rawValue: 2)
        static let shutdown = Due(rawValue: 4)
        static let creditUpdate = Due(rawValue: 8)
        static let creditRequest = Due(rawValue: 16)
    }

    let ports: Ports
    let stream: any VsockStream
    /// The guest has accepted, or it was the one to ask.
    private(set) var isEstablished: Bool
    var due: Due
    /// The stream may have something: not to be watched for it.
    var isReadable = false
    /// The stream is gone on the other side: not to be watched at all.
    private(set) var hasHungUp = false
    private(set) var hostEnded = false
    private(set) var guestSendsNoMore = false
    private(set) var guestReceivesNoMore = false
    private var hasEndedOutput = false

    /// What the stream has yet to take.
    private(set) var outbox: [UInt8] = []
    /// Bytes that the stream took, and how many of them the guest knows of, modulo 2^32.
    private var (forwarded, forwardedTold): (UInt32, UInt32) = (0, 0)
    /// What the guest has room for, what it took, and what it was sent.
    private var (guestAllocation, guestForwarded, sent): (UInt32, UInt32, UInt32) = (0, 0, 0)
    /// In the device's list of those that have something to send, and what they are watched for.
    var isQueued = false
    var watched: PollEvents?

    init(_ ports: Ports, _ stream: any VsockStream, askedByGuest: Bool) {
        (self.ports, self.stream, isEstablished) = (ports, stream, askedByGuest)
        due = askedByGuest ? .response : .request
    }

    /// Whether there is anything to send, if the guest has a buffer.
    var hasWork: Bool { !due.isEmpty || canSendData && credit > 0 }

    private var canSendData: Bool { isEstablished && isReadable && !hostEnded && !guestReceivesNoMore }

    /// Both sides have said all.
    var isFinished: Bool { guestSendsNoMore && guestReceivesNoMore && outbox.isEmpty }

    private var credit: Int {
        let inFlight = sent &- guestForwarded
        return inFlight < guestAllocation ? Int(guestAllocation - inFlight) : 0
    }

    /// What the stream is to be watched for; nil for not at all.
    var interest: PollEvents? {
        guard !hasHungUp else { return nil }
        var events: PollEvents = []
        if isEstablished, !isReadable, !hostEnded, !guestReceivesNoMore { events.insert(.read) }
        if !outbox.isEmpty { events.insert(.write) }
        return events
    }

    // MARK: From the guest

    /// What the guest said as it asked for the connection.
    func start(_ header: VsockHeader) { (guestAllocation, guestForwarded) = (header.allocation, header.forwarded) }

    /// Takes a packet: false if there may be no such one now, after which the connection is reset.
    func take(_ header: VsockHeader, _ data: [UInt8]) -> Bool {
        (guestAllocation, guestForwarded) = (header.allocation, header.forwarded)
        switch header.operation {
        case VsockHeader.Operation.response:
            guard !isEstablished, !due.contains(.request) else { return false }
            isEstablished = true
            outbox = Array("OK \(ports.host)\n".utf8)
            // These bytes are not the guest's.
            forwarded &-= UInt32(outbox.count)
            forwardedTold = forwarded
            flush()
        case VsockHeader.Operation.data:
            guard isEstablished, !guestSendsNoMore, outbox.count + data.count <= Int(Self.allocation) else {
                return false
            }
            outbox += data
            flush()
        case VsockHeader.Operation.shutdown:
            if header.flags & VsockHeader.noSend != 0 { guestSendsNoMore = true }
            if header.flags & VsockHeader.noReceive != 0 { guestReceivesNoMore = true }
            flush()
        case VsockHeader.Operation.creditUpdate: break
        case VsockHeader.Operation.creditRequest: due.insert(.creditUpdate)
        default: return false
        }
        return true
    }

    /// Gives the stream what it takes. What nobody takes any more is dropped: what was sent before the end is still read.
    func flush() {
        if !outbox.isEmpty {
            let count = hasHungUp ? outbox.count : stream.send(outbox)
            if count == nil { (hasHungUp, isReadable) = (true, true) }
            let done = min(count ?? outbox.count, outbox.count)
            outbox.removeFirst(done)
            forwarded &+= UInt32(done)
            // Before the guest has used up what it knows of.
            if forwarded &- forwardedTold >= Self.allocation / 2 { due.insert(.creditUpdate) }
        }
        if outbox.isEmpty, guestSendsNoMore, !hasEndedOutput {
            hasEndedOutput = true
            stream.endOutput()
        }
    }

    /// The stream's other side is gone, but for what it has sent.
    func hangUp() {
        hasHungUp = true
        isReadable = true
        if !outbox.isEmpty { flush() }
    }

    // MARK: To the guest

    enum Output {
        case packet(VsockHeader, [UInt8])
        case nothing
        case failed
    }

    /// The next packet, with at most so many bytes of data.
    func next(_ room: Int, guestCID: UInt64) -> Output {
        for (one, operation) in [
            (Due.request, VsockHeader.Operation.request), (.response, VsockHeader.Operation.response),
            (.creditUpdate, VsockHeader.Operation.creditUpdate), (.creditRequest, VsockHeader.Operation.creditRequest),
        ] where due.contains(one) {
            due.remove(one)
            return .packet(header(operation, guestCID), [])
        }
        if canSendData {
            guard credit > 0 else { return .nothing }
            switch stream.receive(min(room, credit, Self.mostInPacket)) {
            case .bytes(let bytes):
                sent &+= UInt32(bytes.count)
                var header = header(VsockHeader.Operation.data, guestCID)
                header.length = UInt32(bytes.count)
                // A guest that tells only when it is asked would be waited for in vain.
                if credit == 0 { due.insert(.creditRequest) }
                return .packet(header, bytes)
            case .wait: isReadable = false
            case .end:
                hostEnded = true
                due.insert(.shutdown)
            case .failed: return .failed
            }
        }
        guard due.contains(.shutdown) else { return .nothing }
        due.remove(.shutdown)
        var header = header(VsockHeader.Operation.shutdown, guestCID)
        header.flags = hasHungUp ? VsockHeader.noSend | VsockHeader.noReceive : VsockHeader.noSend
        return .packet(header, [])
    }

    private func header(_ operation: UInt16, _ guestCID: UInt64) -> VsockHeader {
        var header = VsockHeader(operation, from: ports.host, to: ports.guest, guestCID: guestCID)
        header.allocation = Self.allocation
        header.forwarded = forwarded
        forwardedTold = forwarded
        return header
    }
}
