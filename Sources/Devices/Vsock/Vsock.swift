// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Sockets between the guest and the host. Virtio 1.2, 5.10
///
/// Everything that can pile up is bounded: connections, what each of them holds, and resets that the guest has yet to hear of.
public final class Vsock: VirtioDevice {
    enum Queue { static let (receive, transmit, event) = (0, 1, 2) }
    static let mostConnections = 1024
    static let mostResets = 256
    /// Host ports of connections that the host asks for, from here on.
    static let firstHostPort: UInt32 = 1 << 30

    let guestCID: UInt64
    let host: any VsockHost
    private let queueSize: UInt16
    var link: DeviceLink?

    var connections: [VsockConnection.Ports: VsockConnection] = [:]
    var connectionsMade: UInt64 = 0
    /// By the stream's descriptor.
    var portsOf: [Int32: VsockConnection.Ports] = [:]
    /// Streams of the host's that have yet to say where they want to.
    var greetings: [Int32: VsockGreeting] = [:]
    private var nextHostPort = Vsock.firstHostPort
    /// Connections with something to send, first come, first served.
    private(set) var waiting: [VsockConnection.Ports] = []
    private var resets: [VsockHeader] = []
    /// A buffer that was taken for a packet which then wasn't there.
    private var spare: DescriptorChain?

    /// - Parameter guestCID: from 3 on.
    public init(guestCID: UInt64, host: any VsockHost, queueSize: UInt16 = 256) {
        (self.guestCID, self.host, self.queueSize) = (guestCID, host, queueSize)
    }

    public var deviceID: UInt32 { 19 }
    public var features: UInt64 { 0 }
    public var queueSizes: [UInt16] { [queueSize, queueSize, queueSize] }
    public var configuration: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: guestCID)
        return bytes
    }

    public var counters: [(String, UInt64)] { [("connections", UInt64(connections.count)), ("connectionsMade", connectionsMade)] }

    public func activate(_ link: DeviceLink) {
        self.link = link
        link.watch(host.listener, .read)
    }

    public func reset() {
        link?.unwatch(host.listener)
        for connection in connections.values where connection.watched != nil {
            link?.unwatch(connection.stream.descriptor)
        }
        for descriptor in greetings.keys { link?.unwatch(descriptor) }
        (connections, portsOf, greetings, waiting, resets) = ([:], [:], [:], [], [])
        (spare, link) = (nil, nil)
    }

    public func notify(queue: Int) throws(VirtioError) { try serve() }
    public func wake() throws(VirtioError) { try serve() }

    public func ready(_ descriptor: Int32, _ events: PollEvents) throws(VirtioError) {
        if descriptor == host.listener {
            acceptAll()
        } else if let ports = portsOf[descriptor], let connection = connections[ports] {
            streamIsReady(connection, events)
        } else if greetings[descriptor] != nil {
            greet(descriptor)
        }
        try serve()
    }

    /// Takes what the guest has sent and sends what is due, as far as there are buffers.
    private func serve() throws(VirtioError) {
        guard let link else { return }
        var left = DeviceLink.mostAtOnce
        try deliver(&left)
        if let queue = link.queue(Queue.transmit) {
            // A guest that sends without taking the answers is let wait.
            while left > 0, resets.count < Self.mostResets, let chain = try queue.next() {
                left -= 1
                try receive(chain, link)
                try link.complete(queue, chain, written: 0)
            }
        }
        try deliver(&left)
        if left <= 0 { link.wake(after: 0) }
        try link.signal(Queue.transmit)
        try link.signal(Queue.receive)
    }

    // MARK: To the guest

    /// The connection has something to send, or needs to be watched for something else.
    func update(_ connection: VsockConnection) {
        if connection.isFinished { return close(connection, tellGuest: true) }
        if connection.hasWork, !connection.isQueued {
            connection.isQueued = true
            waiting.append(connection.ports)
        }
        guard connection.interest != connection.watched else { return }
        connection.watched = connection.interest
        if let events = connection.watched {
            link?.watch(connection.stream.descriptor, events)
        } else {
            link?.unwatch(connection.stream.descriptor)
        }
    }

    func close(_ connection: VsockConnection, tellGuest: Bool) {
        if tellGuest { resetPeer(connection.ports) }
        if connection.watched != nil { link?.unwatch(connection.stream.descriptor) }
        if connection.isQueued { waiting.removeAll { $0 == connection.ports } }
        portsOf[connection.stream.descriptor] = nil
        connections[connection.ports] = nil
    }

    /// Tells the guest that there is no such connection. One that takes no packets isn't told of all: it will be, when it uses them.
    func resetPeer(_ ports: VsockConnection.Ports, type: UInt16 = VsockHeader.stream) {
        guard resets.count < 2 * Self.mostConnections else { return }
        var header = VsockHeader(VsockHeader.Operation.reset, from: ports.host, to: ports.guest, guestCID: guestCID)
        header.type = type
        resets.append(header)
    }

    private func deliver(_ left: inout Int) throws(VirtioError) {
        guard let link, let queue = link.queue(Queue.receive) else { return }
        while left > 0, !resets.isEmpty || !waiting.isEmpty {
            left -= 1
            if spare == nil { spare = try queue.next() }
            guard let chain = spare else { return }
            spare = nil
            guard chain.writable.count > VsockHeader.size else { throw .badRequest("has no room for a packet") }
            guard let (header, data) = nextPacket(chain.writable.count - VsockHeader.size) else {
                spare = chain
                continue
            }
            try link.complete(queue, chain, written: try chain.writable.write(header.bytes + data, link.memory))
        }
    }

    private func nextPacket(_ room: Int) -> (VsockHeader, [UInt8])? {
        if !resets.isEmpty { return (resets.removeFirst(), []) }
        let ports = waiting.removeFirst()
        guard let connection = connections[ports] else { return nil }
        connection.isQueued = false
        switch connection.next(room, guestCID: guestCID) {
        case .packet(let header, let data):
            update(connection)
            return (header, data)
        case .nothing: update(connection)
        case .failed: close(connection, tellGuest: true)
        }
        return nil
    }

    /// A port of the host's for a connection to the guest.
    func takeHostPort() -> UInt32 {
        defer { nextHostPort = nextHostPort == .max ? Self.firstHostPort : nextHostPort + 1 }
        return nextHostPort
    }
}
