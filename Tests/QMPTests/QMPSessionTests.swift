// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON
import Testing

@testable import QMP

@Suite("A QMP session")
struct QMPSessionTests {
    private func session(negotiated: Bool = true) -> QMPSession {
        var session = QMPSession(version: QMPReply.Version(major: 0, minor: 2, micro: 1, package: "p"))
        if negotiated {
            session.receive(Array("{\"execute\":\"qmp_capabilities\"}".utf8))
            #expect(session.next() == .send(Array("{\"return\":{}}\r\n".utf8)))
        }
        return session
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// What one message leads to: the line that is sent, or the command's description.
    private func ask(_ session: inout QMPSession, _ message: String) -> String {
        session.receive(Array(message.utf8))
        switch session.next() {
        case .send(let bytes): return text(bytes)
        case .perform(let command): return "\(command)"
        case .close: return "close"
        case nil: return ""
        }
    }

    @Test("greets, and wants to negotiate before anything else")
    func negotiation() {
        var session = session(negotiated: false)
        #expect(
            text(session.greeting)
                == #"{"QMP":{"version":{"qemu":{"major":0,"minor":2,"micro":1},"package":"p"},"capabilities":[]}}"#
                + "\r\n")
        #expect(session.event("STOP", seconds: 1, microseconds: 2) == nil)
        #expect(
            ask(&session, #"{"execute":"query-status","id":7}"#)
                == #"{"error":{"class":"CommandNotFound","desc":"before any other command, send 'qmp_capabilities'"},"id":7}"#
                + "\r\n")
        #expect(
            ask(&session, #"{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}"#).contains("offers none"))
        #expect(ask(&session, #"{"execute":"qmp_capabilities","arguments":{"enable":1}}"#).contains("only an array"))
        #expect(
            ask(&session, #"{"execute":"qmp_capabilities","arguments":{"enable":[]},"id":"x"}"#)
                == "{\"return\":{},\"id\":\"x\"}\r\n")
        #expect(ask(&session, #"{"execute":"qmp_capabilities"}"#).contains("negotiated before"))
        #expect(
            session.event("STOP", seconds: 1, microseconds: 2)
                == Array("{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"STOP\"}\r\n".utf8))
        #expect(
            session.event("E", ["a": 1], seconds: 0, microseconds: 0).map(text)?.contains(#""data":{"a":1}"#) == true)
    }

    static let understood: [(String, QMPCommand)] = [
        (#"{"execute":"query-status"}"#, .queryStatus), (#"{"execute":"stop","arguments":{}}"#, .stop),
        (#"{"execute":"cont"}"#, .cont),
        (#"{"execute":"quit"}"#, .quit), (#"{"execute":"system_powerdown"}"#, .systemPowerdown),
        (#"{"execute":"system_reset"}"#, .systemReset),
        (#"{"execute":"query-cpus-fast"}"#, .queryCPUs), (#"{"execute":"query-balloon"}"#, .queryBalloon),
        (#"{"execute":"x-query-metrics"}"#, .queryMetrics),
        (#"{"execute":"query-block"}"#, .queryBlock),
        (#"{"execute":"query-hotpluggable-cpus"}"#, .queryHotpluggableCPUs),
        (#"{"execute":"balloon","arguments":{"value":134217728}}"#, .balloon(bytes: 134_217_728)),
        (#"{"execute":"device_del","arguments":{"id":"d0"}}"#, .deviceDel(id: "d0")),
        (
            #"{"execute":"device_add","arguments":{"driver":"virtio-blk-device","id":"d0","drive":"n","num-queues":2}}"#,
            .deviceAdd(
                .init(driver: "virtio-blk-device", id: "d0", properties: [.init("drive", "n"), .init("num-queues", 2)]))
        ),
        (
            #"{"execute":"blockdev-add","arguments":{"node-name":"n","driver":"file","filename":"/f","read-only":true}}"#,
            .blockAdd(.init(name: "n", file: "/f", isReadOnly: true))
        ),
        (
            #"{"execute":"blockdev-add","arguments":{"node-name":"n","driver":"raw","file":{"driver":"file","filename":"/f"}}}"#,
            .blockAdd(.init(name: "n", file: "/f", isReadOnly: false))
        ),
        (
            #"{"execute":"blockdev-add","arguments":{"node-name":"n","driver":"raw","read-only":true,"file":{"driver":"host_device","filename":"/f"}}}"#,
            .blockAdd(.init(name: "n", file: "/f", isReadOnly: true))
        ),
        (#"{"execute":"blockdev-del","arguments":{"node-name":"n"}}"#, .blockDel(name: "n")),
        (#"{"execute":"query-named-block-nodes"}"#, .queryNodes),
        (#"{"execute":"add-fd"}"#, .descriptorAdd(set: nil, note: nil)),
        (#"{"execute":"add-fd","arguments":{"fdset-id":3,"opaque":"o"}}"#, .descriptorAdd(set: 3, note: "o")),
        (#"{"execute":"remove-fd","arguments":{"fdset-id":3}}"#, .descriptorRemove(set: 3, number: nil)),
        (#"{"execute":"remove-fd","arguments":{"fdset-id":3,"fd":9}}"#, .descriptorRemove(set: 3, number: 9)),
        (#"{"execute":"query-fdsets"}"#, .queryDescriptorSets),
    ]

    static let disks: [([JSON.Member], String)] = [
        ([], "argument 'drive' is missing: a string"),
        ([.init("drive", 1)], "argument 'drive' is a number, wanted: a string"),
        ([.init("drive", "n"), .init("num-queues", 2)], "argument 'num-queues' is not one of this command's"),
        ([.init("drive", "n"), .init("x-bytes-per-second", 0)], "argument 'x-bytes-per-second' is 0, wanted: a whole number from 1"),
        ([.init("drive", "n"), .init("x-operations-per-second", "1")], "argument 'x-operations-per-second' is a string, wanted: a whole number"),
    ]

    @Test("a disk's properties; what is wrong with them is said", arguments: disks)
    func disk(_ properties: [JSON.Member], _ problem: String) throws {
        let full = QMPCommand.Device(
            driver: "d", id: nil,
            properties: [.init("serial", "s"), .init("drive", "n"), .init("x-bytes-per-second", 5), .init("x-operations-per-second", 6)])
        let block = try full.block()
        #expect(block.drive == "n" && block.serial == "s" && block.bytesPerSecond == 5 && block.operationsPerSecond == 6)
        do throws(QMPError) {
            _ = try QMPCommand.Device(driver: "d", id: nil, properties: properties).block()
            Issue.record("\(properties) were taken")
        } catch { #expect(error.text.hasPrefix(problem), "\(error.text)") }
    }

    @Test("hands out commands", arguments: understood)
    func command(_ message: String, _ command: QMPCommand) {
        var session = session()
        session.receive(Array(message.utf8))
        #expect(session.next() == .perform(command))
        #expect(text(session.reply(.success(QMPReply.nothing))) == "{\"return\":{}}\r\n")
    }

    @Test("one at a time, each reply with its command's id")
    func order() {
        var session = session()
        session.receive(
            Array(#"{"execute":"stop","id":{"a":[1.50]}} {"execute":"cont","id":"b"}{"execute":"query-version"}"#.utf8))
        #expect(session.next() == .perform(.stop) && session.next() == nil)
        #expect(
            text(session.reply(.failure(QMPError(.deviceNotActive, "no"))))
                == #"{"error":{"class":"DeviceNotActive","desc":"no"},"id":{"a":[1.50]}}"# + "\r\n")
        #expect(session.next() == .perform(.cont) && session.next() == nil)
        #expect(
            text(session.reply(.success(QMPReply.status(.running))))
                == #"{"return":{"status":"running","running":true},"id":"b"}"# + "\r\n")
        guard case .send(let version) = session.next() else { return #expect(Bool(false)) }
        #expect(text(version).hasPrefix(#"{"return":{"qemu":{"major":0"#) && session.next() == nil)
    }

    @Test("finds messages however they come in")
    func pieces() {
        let message = #"{"execute":"device_del","arguments":{"id":"}\"{[\\"}}"#
        var session = session()
        for byte in message.utf8.dropLast() {
            session.receive([byte])
            #expect(session.next() == nil)
        }
        session.receive(Array("}\r\n".utf8))
        #expect(session.next() == .perform(.deviceDel(id: "}\"{[\\")))
    }

    static let refused: [(String, String, String)] = [
        (#"{"execute":"nonsense"}"#, "CommandNotFound", "no command 'nonsense'"),
        ("{}", "GenericError", "no 'execute'"),
        (#"{"execute":1}"#, "GenericError", "'execute' is a number"),
        (#"{"execute":"stop","arguments":[]}"#, "GenericError", "'arguments' is an array"),
        (#"{"execute":"stop","more":1}"#, "GenericError", "'more' is no member"),
        (#"{"exec-oob":"stop"}"#, "GenericError", "'exec-oob' is no member"),
        (#"{"execute":"stop","arguments":{"x":1}}"#, "GenericError", "argument 'x' is not one"),
        (#"{"execute":"query-version","arguments":{"x":1}}"#, "GenericError", "argument 'x' is not one"),
        (#"{"execute":"balloon"}"#, "GenericError", "argument 'value' is missing"),
        (#"{"execute":"balloon","arguments":{"value":-1}}"#, "GenericError", "a whole number from 0"),
        (
            #"{"execute":"device_add","arguments":{"driver":5}}"#, "GenericError",
            "argument 'driver' is a number, wanted: a string"
        ),
        (
            #"{"execute":"blockdev-add","arguments":{"node-name":"n","driver":"qcow2"}}"#, "GenericError",
            "driver 'qcow2' is unknown"
        ),
        (
            #"{"execute":"blockdev-add","arguments":{"node-name":"n","driver":"raw","file":{"driver":"file","filename":"f","x":0}}}"#,
            "GenericError", "argument 'file.x'"
        ),
        (#"{"execute":"stop",}"#, "GenericError", "not JSON: line 1, column 19"),
        ("stop\n", "GenericError", "an object"), ("]\n", "GenericError", "an object"),
    ]

    @Test("answers what it can't do with an error, and goes on", arguments: refused)
    func wrong(_ message: String, _ kind: String, _ part: String) {
        var session = session()
        let answer = ask(&session, message)
        #expect(answer.contains(#"{"error":{"class":"\#(kind)","desc":""#) && answer.contains(part), "\(answer)")
        #expect(ask(&session, #"{"execute":"query-status"}"#) == "queryStatus")
    }

    @Test("tells every command that there is")
    func queryCommands() throws {
        var session = session()
        let answer = try JSONParser.parse(Array(ask(&session, #"{"execute":"query-commands"}"#).utf8))
        let names = try #require(answer["return"]?.array).compactMap { $0["name"]?.string }
        #expect(
            names == names.sorted() && names.count == 22 && names.contains("system_powerdown")
                && names.contains("query-version"))
    }

    @Test("ends when a message is longer than it may be")
    func tooLong() {
        var session = session()
        let limit = QMPSession.messageLimit
        session.receive(Array(#"{"execute":"stop","id":""#.utf8))
        session.receive([UInt8](repeating: 0x61, count: limit - 100))
        #expect(session.next() == nil && session.wantsInput)
        session.receive([UInt8](repeating: 0x61, count: 100))
        #expect(session.next() == .close && !session.wantsInput && session.next() == nil)
        session.receive(Array("{}".utf8))
        #expect(session.next() == nil && session.event("STOP", seconds: 0, microseconds: 0) == nil)
    }
}
