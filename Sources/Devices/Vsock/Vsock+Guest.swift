// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What the guest sends.
extension Vsock {
    func receive(_ chain: DescriptorChain, _ link: DeviceLink) throws(VirtioError) {
        var data = chain.readable
        guard data.count >= VsockHeader.size else { throw .badRequest("has no vsock header") }
        let header = VsockHeader(try data.takeFirst(VsockHeader.size).read(link.memory))
        // Nobody else is behind this device.
        guard header.sourceCID == guestCID else { return }
        let ports = VsockConnection.Ports(host: header.destinationPort, guest: header.sourcePort)
        guard header.destinationCID == VsockHeader.hostCID, header.type == VsockHeader.stream else {
            if header.operation != VsockHeader.Operation.reset { resetPeer(ports, type: header.type) }
            return
        }
        guard header.length <= VsockConnection.allocation else { return refuse(ports) }
        guard data.count >= Int(header.length) else { throw .badRequest("is shorter than its vsock header says") }
        take(header, try data.takeFirst(Int(header.length)).read(link.memory), ports)
    }

    private func take(_ header: VsockHeader, _ data: [UInt8], _ ports: VsockConnection.Ports) {
        switch header.operation {
        case VsockHeader.Operation.reset:
            if let connection = connections[ports] { close(connection, tellGuest: false) }
        case VsockHeader.Operation.request where connections[ports] == nil:
            guard connections.count + greetings.count < Self.mostConnections,
                let stream = host.connect(port: ports.host)
            else {
                return resetPeer(ports)
            }
            let connection = add(ports, stream, askedByGuest: true)
            // What the guest has room for is in its request.
            connection.start(header)
            update(connection)
        default:
            guard let connection = connections[ports] else { return resetPeer(ports) }
            guard connection.take(header, data) else { return refuse(ports) }
            update(connection)
        }
    }

    /// Ends a connection, if there is one, and tells the guest.
    private func refuse(_ ports: VsockConnection.Ports) {
        if let connection = connections[ports] { close(connection, tellGuest: true) } else { resetPeer(ports) }
    }

    func add(_ ports: VsockConnection.Ports, _ stream: any VsockStream, askedByGuest: Bool) -> VsockConnection {
        let connection = VsockConnection(ports, stream, askedByGuest: askedByGuest)
        connections[ports] = connection
        connectionsMade += 1
        portsOf[stream.descriptor] = ports
        return connection
    }
}
