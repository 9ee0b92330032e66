// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CVMMSys
import Devices
import Foundation
import Glibc
import JSON
import QMP
import Testing

@testable import VMM

@Suite("The control socket")
struct ControlSocketTests {
    /// As a machine has it, for clients that have gone.
    init() { _ = signal(SIGPIPE, SIG_IGN) }

    /// Answers `stop` by ending the loop, and everything else by its name.
    private final class Delegate: ControlSocket.Delegate {
        var commands: [QMPCommand] = []
        var onCommand: (QMPCommand) -> Void = { _ in }
        var lastLeft = 0
        var onLastLeft: () -> Void = {}
        /// What `add-fd` took.
        var taken: [HostFile?] = []
        func lastClientLeft() {
            lastLeft += 1
            onLastLeft()
        }
        func perform(_ command: QMPCommand, _ takeDescriptor: () -> HostFile?) -> Result<JSON, QMPError> {
            commands.append(command)
            onCommand(command)
            if case .descriptorAdd = command { taken.append(takeDescriptor()) }
            return command == .cont ? .failure(QMPError("no")) : .success([:])
        }
    }

    private func path() -> String { FileManager.default.temporaryDirectory.appending(path: "q-\(UUID().uuidString)").path }

    private func connect(_ path: String) -> Descriptor {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let file = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let answer = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(answer == 0, "connect: errno \(errno)")
        return Descriptor(owning: file)
    }

    private func send(_ text: String, _ file: Descriptor) { _ = unsafe write(file.number, text, text.utf8.count) }

    /// All that is there.
    private func receive(_ file: Descriptor) -> [String] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe recv(file.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
    }

    @Test func clients() throws {
        let (path, loop, delegate) = (path(), try EventLoop(), Delegate())
        var server: ControlSocket? = try ControlSocket(path, loop, delegate)
        var state = stat()
        #expect(unsafe stat(path, &state) == 0 && state.st_mode & 0o777 == 0o600)
        let (one, two) = (connect(path), connect(path))
        for client in [one, two] { send(#"{"execute":"qmp_capabilities"}"#, client) }
        send(#"{"execute":"cont"}{"execute":"stop","id":3}"#, two)
        delegate.onCommand = { command in
            guard command == .stop else { return }
            server?.tell("STOP")
            loop.stop()
        }
        try loop.run()
        #expect(delegate.commands == [.cont, .stop])
        let (first, second) = (receive(one), receive(two))
        #expect(first.count == 3 && first[0].hasPrefix(#"{"QMP""#) && first[1] == #"{"return":{}}"# && first[2].hasSuffix(#""event":"STOP"}"#))
        #expect(second.count == 5)
        #expect(second[2] == #"{"error":{"class":"GenericError","desc":"no"}}"#)
        #expect(second.last == #"{"return":{},"id":3}"#)
        server = nil
        #expect(unsafe stat(path, &state) != 0)
    }

    @Test("One that sends something without end, or goes, is forgotten; the others are served")
    func badClients() throws {
        let (path, loop, delegate) = (path(), try EventLoop(), Delegate())
        let server = try ControlSocket(path, loop, delegate)
        var gone: Descriptor? = connect(path)
        send(#"{"exec"#, gone!)
        gone = nil
        let endless = connect(path)
        send(String(repeating: "[", count: 70 << 10), endless)
        let good = connect(path)
        send(#"{"execute":"qmp_capabilities"}{"execute":"stop"}"#, good)
        delegate.onCommand = { _ in loop.stop() }
        try loop.run()
        #expect(receive(good).last == #"{"return":{}}"#)
        withExtendedLifetime(server) {}
    }

    /// Descriptors of these files that this process has open: other tests open others meanwhile.
    private func open(_ files: [TestFile]) -> Int {
        let numbers = files.map { TestFile.number($0.descriptor) }
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        var state = lkx_vmm_file()
        return all.compactMap { Int32($0) }.filter { unsafe lkx_vmm_file_state($0, &state) == 0 && numbers.contains(state.number) }.count
    }

    @Test("Descriptors wait for a command, some of them; the others are closed, and all of them with their client", arguments: [true, false])
    func descriptors(_ takes: Bool) throws {
        let (path, loop, delegate) = (path(), try EventLoop(), Delegate())
        let server = try ControlSocket(path, loop, delegate, takesDescriptors: takes)
        var client: Descriptor? = connect(path)
        let files = (0..<6).map { _ in TestFile(512) }
        send(#"{"execute":"qmp_capabilities"}"#, client!)
        for file in files { client!.pass([file.descriptor], " ") }
        for _ in 0..<5 { send(#"{"execute":"add-fd"}"#, client!) }
        send(#"{"execute":"cont"}"#, client!)
        var taken: [UInt64?] = []
        var counts: [Int] = []
        delegate.onCommand = { command in
            guard command == .cont || command == .stop else { return }
            taken += delegate.taken.map { $0.map { TestFile.number($0.descriptor) } }
            delegate.taken = []
            counts.append(open(files))
            // More at once than are taken of one message.
            if command == .cont { client?.pass(files.map(\.descriptor), #"{"execute":"stop"}"#) } else { client = nil }
        }
        delegate.onLastLeft = { loop.stop() }
        try loop.run()
        #expect(delegate.commands.suffix(2) == [.cont, .stop] && delegate.lastLeft == 1)
        let numbers = files.map { Optional(TestFile.number($0.descriptor)) }
        #expect(taken == (takes ? numbers[..<4] + [nil] : [nil, nil, nil, nil, nil]))
        #expect(counts == [files.count, files.count + (takes ? 4 : 0)])
        #expect(open(files) == files.count)
        withExtendedLifetime(server) {}
    }

    @Test func mostClients() throws {
        let (path, loop, delegate) = (path(), try EventLoop(), Delegate())
        let server = try ControlSocket(path, loop, delegate)
        let clients = (0..<ControlSocket.mostClients).map { _ in connect(path) }
        let tooMany = connect(path)
        send(#"{"execute":"qmp_capabilities"}{"execute":"stop"}"#, clients.last!)
        delegate.onCommand = { _ in loop.stop() }
        try loop.run()
        #expect(clients.allSatisfy { receive($0).first?.hasPrefix(#"{"QMP""#) == true } && receive(tooMany).isEmpty)
        withExtendedLifetime(server) {}
    }

    @Test func pathsThatAreTaken() throws {
        let path = path()
        try Data().write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        do throws(VMMError) {
            _ = try ControlSocket(path, try EventLoop(), Delegate())
            Issue.record("it was made")
        } catch {
            #expect(error.description.hasPrefix("the control socket \(path): Address already in use: there must be nothing at that path"))
        }
        #expect(FileManager.default.fileExists(atPath: path))
    }
}
