// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A QMP server on standard input and output, with a machine that is only a few numbers: for test_misc/qmp/judge.
import Glibc
import JSON
import QMP

struct Machine {
    var status = QMPReply.Status.running
    var balloon: UInt64 = 256 << 20
    var devices: Set<String> = []

    mutating func perform(_ command: QMPCommand) -> Result<JSON, QMPError> {
        switch command {
        case .queryStatus: return .success(QMPReply.status(status))
        case .stop: status = .paused
        case .cont: status = .running
        case .systemPowerdown, .systemReset, .quit: status = .shutdown
        case .queryCPUs: return .success(QMPReply.cpus(threads: [101, 102]))
        case .queryBalloon: return .success(QMPReply.balloon(bytes: balloon))
        case .balloon(let bytes): balloon = bytes
        case .deviceAdd(let device):
            guard let id = device.id, devices.insert(id).inserted else {
                return .failure(QMPError("there is a device of that id"))
            }
        case .deviceDel(let id):
            guard devices.remove(id) != nil else {
                return .failure(QMPError(.deviceNotFound, "there is no device '\(id)'"))
            }
        case .blockAdd, .blockDel: break
        case .queryMetrics: return .success(["vcpus": []])
        case .descriptorAdd, .descriptorRemove: return .failure(QMPError("descriptors don't come here"))
        case .queryBlock, .queryNodes, .queryDescriptorSets, .queryHotpluggableCPUs: return .success([])
        }
        return .success(QMPReply.nothing)
    }
}

func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
        guard count > 0 else { exit(1) }
        rest = rest.dropFirst(count)
    }
}

var machine = Machine()
var session = QMPSession(version: QMPReply.Version(major: 0, minor: 1, micro: 0, package: "LiKeX"))
send(session.greeting)
var buffer = [UInt8](repeating: 0, count: 4096)
while case let count = unsafe read(0, &buffer, buffer.count), count > 0 {
    session.receive(buffer[..<count])
    while let step = session.next() {
        switch step {
        case .send(let bytes): send(bytes)
        case .close: exit(0)
        case .perform(let command):
            let before = machine.status
            send(session.reply(machine.perform(command)))
            guard machine.status != before else { continue }
            let name =
                [QMPReply.Status.paused: "STOP", .running: "RESUME", .shutdown: "SHUTDOWN"][machine.status] ?? ""
            if let event = session.event(name, seconds: 1_700_000_000, microseconds: 5) { send(event) }
            if command == .quit { exit(0) }
        }
    }
}
