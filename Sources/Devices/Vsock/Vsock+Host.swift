// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A stream of the host's that has yet to say "CONNECT port".
struct VsockGreeting {
    static let longest = 32
    let stream: any VsockStream
    var line: [UInt8] = []

    /// The port, of a whole line without its end; nil where it is something else.
    var port: UInt32? {
        let prefix = Array("CONNECT ".utf8)
        guard line.starts(with: prefix) else { return nil }
        return UInt32(String(decoding: line.dropFirst(prefix.count), as: UTF8.self))
    }
}

/// What the host does.
extension Vsock {
    /// As many at once: the rest is told again.
    private static let mostAccepted = 16

    func acceptAll() {
        for _ in 0..<Self.mostAccepted {
            guard let stream = host.accept() else { return }
            // Closed at once: there are too many.
            guard connections.count + greetings.count < Self.mostConnections else { continue }
            greetings[stream.descriptor] = VsockGreeting(stream: stream)
            link?.watch(stream.descriptor, .read)
        }
    }

    /// Reads the first line, and not a byte of what is behind it.
    func greet(_ descriptor: Int32) {
        guard var greeting = greetings[descriptor] else { return }
        while greeting.line.count < VsockGreeting.longest {
            switch greeting.stream.receive(1) {
            case .bytes(let bytes) where bytes == [UInt8(ascii: "\n")]: return connect(greeting)
            case .bytes(let bytes): greeting.line += bytes
            case .wait:
                greetings[descriptor] = greeting
                return
            case .end, .failed: return forget(greeting)
            }
        }
        forget(greeting)
    }

    private func connect(_ greeting: VsockGreeting) {
        guard let port = greeting.port else { return forget(greeting) }
        greetings[greeting.stream.descriptor] = nil
        // A port that is still in use, after four billion others, is passed over.
        var ports = VsockConnection.Ports(host: takeHostPort(), guest: port)
        while connections[ports] != nil { ports = VsockConnection.Ports(host: takeHostPort(), guest: port) }
        let connection = add(ports, greeting.stream, askedByGuest: false)
        connection.watched = .read
        update(connection)
    }

    private func forget(_ greeting: VsockGreeting) {
        link?.unwatch(greeting.stream.descriptor)
        greetings[greeting.stream.descriptor] = nil
    }

    func streamIsReady(_ connection: VsockConnection, _ events: PollEvents) {
        if events.contains(.hangUp) { connection.hangUp() }
        if events.contains(.read) { connection.isReadable = true }
        if events.contains(.write) { connection.flush() }
        update(connection)
    }
}
