// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=512
// Fuzzes a QMP session: what comes in all at once must lead to the same as what comes in by pieces. The input: a byte for the
// pieces' size and whether the session has negotiated, then what the client sends.
@testable import JSON
@testable import QMP

@c(LLVMFuzzerTestOneInput)
public func fuzzQMP(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard size > 1 else { return 0 }
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
    let isNegotiated = bytes[0] & 1 != 0
    let whole = run(bytes.dropFirst(), by: size, isNegotiated)
    for step in whole { if case .send(let line) = step { check(line) } }
    let pieces = run(bytes.dropFirst(), by: Int(bytes[0] >> 1) % 16 + 1, isNegotiated)
    precondition(whole == pieces)
    return 0
}

let fresh = QMPSession(version: QMPReply.Version(major: 0, minor: 1, micro: 0, package: "LiKeX"))
let negotiated = {
    var session = fresh
    session.receive(Array("{\"execute\":\"qmp_capabilities\"}".utf8))
    guard session.next() != nil else { preconditionFailure("it doesn't negotiate") }
    return session
}()

/// All that the session does.
func run(_ input: ArraySlice<UInt8>, by size: Int, _ isNegotiated: Bool) -> [QMPSession.Step] {
    var session = isNegotiated ? negotiated : fresh
    var steps: [QMPSession.Step] = []
    var rest = input
    while !rest.isEmpty {
        precondition(session.wantsInput)
        session.receive(rest.prefix(size))
        rest = rest.dropFirst(size)
        while let step = session.next() {
            steps.append(step)
            switch step {
            case .send: break
            case .perform(let command):
                precondition(session.next() == nil)
                if case .deviceAdd(let device) = command, let block = try? device.block() {
                    precondition(block.bytesPerSecond != 0 && block.operationsPerSecond != 0)
                }
                let isFine = steps.count % 2 == 0
                let reply = session.reply(isFine ? .success([1]) : .failure(QMPError(.deviceNotFound, "\u{1}\"")))
                steps.append(.send(reply))
            case .close: preconditionFailure("no message was too long")
            }
        }
    }
    // Each takes at least the two bytes of an object, or one and a line's end.
    precondition(steps.count <= 2 * input.count)
    return steps
}

/// One line that is an object with one of two members, and perhaps an id.
func check(_ line: [UInt8]) {
    precondition(line.suffix(2) == [0x0D, 0x0A] && !line.dropLast(2).contains(0x0A))
    guard let members = (try? JSONParser.parse(line))?.members else { preconditionFailure("no object was sent") }
    precondition(members[0].name == "return" || members[0].name == "error")
    precondition(members.count == 1 || members.count == 2 && members[1].name == "id")
}
