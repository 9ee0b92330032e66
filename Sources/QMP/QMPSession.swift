// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import JSON

/// The server's side of a QMP connection, without the connection: bytes in, commands out, replies in, bytes out.
///
///     send(session.greeting)
///     session.receive(bytes)
///     while let step = session.next() {
///         switch step {
///         case .send(let bytes): send(bytes)
///         case .perform(let command): send(session.reply(result of command))
///         case .close: close the connection
///         }
///     }
///
/// Commands are handed out one by one, in the order in which they came: `next` has none while a reply is owed. A client
/// that sends faster than it is answered is to be read from only while `wantsInput`.
public struct QMPSession: Sendable {
    public enum Step: Equatable, Sendable {
        case send([UInt8])
        case perform(QMPCommand)
        /// The client can't be understood any longer.
        case close
    }

    private enum State: Equatable {
        case negotiating
        case ready
        /// A command's reply is owed, with this `id`.
        case owing(JSON?)
        case closed
    }

    /// Bytes of the longest message.
    public static let messageLimit = 64 << 10

    private let version: QMPReply.Version
    private var state = State.negotiating
    private var framer = QMPFramer(limit: messageLimit)

    public init(version: QMPReply.Version) { self.version = version }

    /// To be sent when a client has connected.
    public var greeting: [UInt8] {
        line(["QMP": ["version": version.json, "capabilities": []]])
    }

    public var wantsInput: Bool { state != .closed && framer.waiting <= Self.messageLimit }

    public mutating func receive(_ bytes: some Sequence<UInt8>) {
        if state != .closed { framer.append(bytes) }
    }

    /// What is to be done next, nil until more comes in, or until the reply that is owed.
    public mutating func next() -> Step? {
        switch state {
        case .owing, .closed: return nil
        case .negotiating, .ready: break
        }
        switch framer.next() {
        case nil: return nil
        case .message(let bytes): return message(bytes)
        case .garbage: return failure(QMPError("not JSON: a message is an object, {...}"), id: nil)
        case .tooLong:
            state = .closed
            return .close
        }
    }

    /// - Returns: to be sent.
    /// - Precondition: a command was handed out and not yet replied to.
    public mutating func reply(_ result: Result<JSON, QMPError>) -> [UInt8] {
        guard case .owing(let id) = state else { preconditionFailure("no command waits for a reply") }
        state = .ready
        switch result {
        case .success(let value): return success(value, id)
        case .failure(let error): return line(Self.withID(["error": error.json], id))
        }
    }

    /// An event's bytes, nil before the client has negotiated: it doesn't expect any then.
    /// - Parameters:
    ///   - seconds: since 1970, with `microseconds`.
    public func event(_ name: String, _ data: JSON? = nil, seconds: Int64, microseconds: Int64) -> [UInt8]? {
        switch state {
        case .negotiating, .closed: return nil
        case .ready, .owing: break
        }
        var members: [JSON.Member] = [
            JSON.Member("timestamp", ["seconds": JSON(seconds), "microseconds": JSON(microseconds)]),
            JSON.Member("event", .string(name)),
        ]
        if let data { members.append(JSON.Member("data", data)) }
        return line(.object(members))
    }

    // MARK: Messages

    private mutating func message(_ bytes: [UInt8]) -> Step {
        let value: JSON
        do throws(JSONError) { value = try JSONParser.parse(bytes, limit: Self.messageLimit) } catch {
            return failure(QMPError("not JSON: \(error)"), id: nil)
        }
        do throws(QMPError) { return try request(value) } catch { return failure(error, id: value["id"]) }
    }

    private mutating func request(_ value: JSON) throws(QMPError) -> Step {
        let members = value.members ?? []
        if let other = members.first(where: { !["execute", "arguments", "id"].contains($0.name) }) {
            throw QMPError("'\(other.name)' is no member of a request; it has 'execute', 'arguments' and 'id'")
        }
        guard let execute = value["execute"] else { throw QMPError("the request has no 'execute'") }
        guard let name = execute.string else {
            throw QMPError("'execute' is \(execute.kind), wanted: a command's name")
        }
        guard let given = (value["arguments"] ?? [:]).members else {
            throw QMPError("'arguments' is \(value["arguments"]?.kind ?? ""), wanted: an object")
        }
        var arguments = QMPArguments(given)
        let id = value["id"]
        if state == .negotiating { return try negotiate(name, given, id) }
        switch name {
        case "query-version":
            try arguments.finish()
            return .send(success(version.json, id))
        case "query-commands":
            try arguments.finish()
            let names = QMPCommand.table.map(\.name) + ["query-commands", "query-version"]
            return .send(success(.array(names.sorted().map { ["name": .string($0)] }), id))
        default: break
        }
        guard let entry = QMPCommand.table.first(where: { $0.name == name }) else {
            throw QMPError(
                .commandNotFound,
                name == Self.negotiation
                    ? "capabilities were negotiated before"
                    : "there is no command '\(name)'; query-commands lists those there are")
        }
        let command = try entry.read(&arguments)
        try arguments.finish()
        state = .owing(id)
        return .perform(command)
    }

    private static let negotiation = "qmp_capabilities"

    private mutating func negotiate(_ name: String, _ arguments: [JSON.Member], _ id: JSON?) throws(QMPError) -> Step {
        guard name == Self.negotiation else {
            throw QMPError(.commandNotFound, "before any other command, send 'qmp_capabilities'")
        }
        for member in arguments {
            guard member.name == "enable", let wanted = member.value.array else {
                throw QMPError("argument '\(member.name)': only an array 'enable' may be given")
            }
            guard wanted.isEmpty else { throw QMPError("'enable' names capabilities, but this server offers none") }
        }
        state = .ready
        return .send(success([:], id))
    }

    private func failure(_ error: QMPError, id: JSON?) -> Step { .send(line(Self.withID(["error": error.json], id))) }

    private func success(_ value: JSON, _ id: JSON?) -> [UInt8] { line(Self.withID(["return": value], id)) }

    private static func withID(_ reply: JSON, _ id: JSON?) -> JSON {
        guard let id, let members = reply.members else { return reply }
        return .object(members + [JSON.Member("id", id)])
    }

    private func line(_ value: JSON) -> [UInt8] { value.bytes + [0x0D, 0x0A] }
}
