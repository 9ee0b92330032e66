// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CDeviceSys

/// The host's end of one connection: a stream that never blocks, closed when nobody refers to it.
public protocol VsockStream: AnyObject {
    /// What the poll loop watches.
    var descriptor: Int32 { get }
    /// At most so many bytes.
    func receive(_ most: Int) -> VsockInput
    /// How many of these bytes were taken: 0 where it would have to wait, nil where there is nobody any more.
    func send(_ bytes: [UInt8]) -> Int?
    /// The guest sends nothing more.
    func endOutput()
}

public enum VsockInput: Equatable {
    case bytes([UInt8])
    /// Nothing now.
    case wait
    /// Nothing ever again.
    case end
    case failed
}

/// Where connections come from and go to.
public protocol VsockHost: AnyObject {
    /// Ready when somebody wants to connect to the guest.
    var listener: Int32 { get }
    func accept() -> (any VsockStream)?
    /// To what the host has at a port, if anything.
    func connect(port: UInt32) -> (any VsockStream)?
}

/// Unix sockets, as Firecracker has them: at PATH the host connects and writes "CONNECT port\n", which is answered with
/// "OK port\n" once the guest has accepted; a guest that connects to a port gets to PATH_port.
@safe public final class UnixVsockHost: VsockHost {
    private let path: String
    private let socket: UnixStream

    /// Listens at a path where there must be nothing yet but the socket of a program that is gone.
    public init(path: String) throws(HostError) {
        self.path = path
        let descriptor = unsafe path.withCString { unsafe lkx_dev_listen($0) }
        guard descriptor >= 0 else { throw HostError(errno: Int32(truncatingIfNeeded: -descriptor)) }
        socket = UnixStream(owning: Int32(descriptor))
    }

    public var listener: Int32 { socket.descriptor }

    public func accept() -> (any VsockStream)? {
        let descriptor = lkx_dev_accept(socket.descriptor)
        return descriptor < 0 ? nil : UnixStream(owning: Int32(descriptor))
    }

    public func connect(port: UInt32) -> (any VsockStream)? {
        let descriptor = unsafe "\(path)_\(port)".withCString { unsafe lkx_dev_connect($0) }
        return descriptor < 0 ? nil : UnixStream(owning: Int32(descriptor))
    }
}

/// A socket of the host's.
@safe final class UnixStream: VsockStream {
    let descriptor: Int32

    init(owning descriptor: Int32) { self.descriptor = descriptor }
    deinit { _ = lkx_dev_close(descriptor) }

    func receive(_ most: Int) -> VsockInput {
        var count = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: most) { buffer, initialized in
            count = unsafe lkx_dev_receive(descriptor, buffer.baseAddress, most)
            initialized = max(0, count)
        }
        if count == 0 { return .end }
        guard count < 0 else { return .bytes(bytes) }
        return -count == Int(HostError.tryAgain) ? .wait : .failed
    }

    func send(_ bytes: [UInt8]) -> Int? {
        let count = unsafe bytes.withUnsafeBytes { unsafe lkx_dev_send(descriptor, $0.baseAddress, $0.count) }
        if count >= 0 { return count }
        return -count == Int(HostError.tryAgain) ? 0 : nil
    }

    func endOutput() { _ = lkx_dev_shutdown(descriptor, 1) }
}
