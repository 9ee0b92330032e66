// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CDeviceSys
import CVMMSys
import Devices
import Glibc
import JSON
import QMP

/// A unix socket that speaks QMP, to as many clients as come. All of it happens on the event loop's thread.
final class ControlSocket {
    /// Who does what clients want.
    protocol Delegate: AnyObject {
        /// - Parameter takeDescriptor: the first one that this client has passed and that no command has taken.
        func perform(_ command: QMPCommand, _ takeDescriptor: () -> HostFile?) -> Result<JSON, QMPError>
        func lastClientLeft()
    }

    private final class Client {
        let file: Descriptor
        var session = QMPSession(version: QMPReply.Version(major: 0, minor: 1, micro: 0, package: "LiKeX"))
        /// What the socket had no room for.
        var unsent: [UInt8] = []
        /// What came by SCM_RIGHTS, until a command takes it.
        var passed: [HostFile] = []

        init(_ file: Descriptor) { self.file = file }
    }

    /// A client that doesn't read its answers is closed rather than remembered without end.
    private static let mostUnsent = 1 << 20
    /// More are closed as they come.
    static let mostClients = 16
    /// Of a client's, that no command has taken; more are closed.
    static let mostPassed = Int(LKX_VMM_MOST_DESCRIPTORS)

    private let loop: EventLoop
    private let listener: Descriptor
    private let path: String
    private unowned let delegate: any Delegate
    private let takesDescriptors: Bool
    private var clients: [Int32: Client] = [:]

    /// - Parameter takesDescriptors: by recvmsg(2); with read(2) instead the kernel closes what clients pass.
    init(_ path: String, _ loop: EventLoop, _ delegate: any Delegate, takesDescriptors: Bool = false) throws(VMMError) {
        (self.path, self.loop, self.delegate, self.takesDescriptors) = (path, loop, delegate, takesDescriptors)
        // Its owner's alone from its first moment. No other thread makes files yet.
        let mask = umask(0o177)
        let answer = unsafe path.withCString { unsafe lkx_dev_listen($0) }
        umask(mask)
        guard answer >= 0 else {
            throw VMMError(
                "the control socket \(path)", errno: Int32(truncatingIfNeeded: -answer),
                "there must be nothing at that path, and the folder must be writable")
        }
        listener = Descriptor(owning: Int32(answer))
        try loop.watch(listener.number, .input) { [unowned self] _ in accept() }
    }

    /// Its path is gone with it.
    deinit {
        loop.forget(listener.number)
        _ = unsafe unlink(path)
    }

    /// Tells every client that something has happened.
    func tell(_ event: String, _ data: JSON? = nil) {
        var now = timeval()
        _ = unsafe gettimeofday(&now, nil)
        for client in clients.values {
            if let bytes = client.session.event(event, data, seconds: Int64(now.tv_sec), microseconds: Int64(now.tv_usec)) {
                send(bytes, client)
            }
        }
    }

    private func accept() {
        let descriptor = Int32(truncatingIfNeeded: lkx_dev_accept(listener.number))
        guard descriptor >= 0 else { return }
        let client = Client(Descriptor(owning: descriptor))
        guard clients.count < Self.mostClients else { return }
        clients[descriptor] = client
        do throws(VMMError) {
            try loop.watch(descriptor, .input) { [unowned self, unowned client] events in happened(events, client) }
            send(client.session.greeting, client)
        } catch {
            clients[descriptor] = nil
        }
    }

    private func happened(_ events: EventLoop.Events, _ client: Client) {
        if events.contains(.output) { flush(client) }
        if events.contains(.input), clients[client.file.number] === client { receive(client) }
        if !events.isDisjoint(with: .end) { close(client) }
    }

    private func receive(_ client: Client) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = takesDescriptors ? receive(&buffer, client) : unsafe read(client.file.number, &buffer, buffer.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else { return close(client) }
        client.session.receive(buffer.prefix(count))
        while let step = client.session.next() {
            switch step {
            case .send(let bytes): send(bytes, client)
            case .perform(let command):
                let result = delegate.perform(command) { client.passed.isEmpty ? nil : client.passed.removeFirst() }
                send(client.session.reply(result), client)
            case .close: return close(client)
            }
        }
    }

    /// recvmsg(2), and the descriptors that come with the bytes. Returns as read(2) does.
    private func receive(_ buffer: inout [UInt8], _ client: Client) -> Int {
        var numbers = [Int32](repeating: -1, count: Self.mostPassed)
        var came: UInt32 = 0
        let count = unsafe lkx_vmm_receive(client.file.number, &buffer, buffer.count, &numbers, &came)
        for number in numbers.prefix(Int(came)) {
            // Closed with its last user, who is here where there are too many.
            let file = HostFile(owning: number)
            if client.passed.count < Self.mostPassed { client.passed.append(file) }
        }
        guard count < 0 else { return count }
        errno = Int32(truncatingIfNeeded: -count)
        return -1
    }

    private func send(_ bytes: [UInt8], _ client: Client) {
        client.unsent += bytes
        flush(client)
    }

    private func flush(_ client: Client) {
        while !client.unsent.isEmpty {
            let count = unsafe write(client.file.number, client.unsent, client.unsent.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                guard errno == EAGAIN, client.unsent.count <= Self.mostUnsent else { return close(client) }
                return loop.change(client.file.number, [.input, .output])
            }
            client.unsent.removeFirst(count)
        }
        loop.change(client.file.number, .input)
    }

    private func close(_ client: Client) {
        loop.forget(client.file.number)
        guard clients.removeValue(forKey: client.file.number) != nil, clients.isEmpty else { return }
        delegate.lastClientLeft()
    }
}
