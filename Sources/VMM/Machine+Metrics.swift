// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Devices
import JSON

extension Machine {
    /// What has been counted since the machine was made.
    ///
    ///     {"time":"...","vcpus":[{"portRead":0,...}],"devices":[{"device":"block","requests":7,...,"writes":2}],"terminal":{"bytesFromGuest":80,"bytesToGuest":0}}
    func metrics() -> JSON {
        let vcpus = processors.map(\.exits.json)
        let (devices, terminal) = bus.lock.withLock { (transports.map(Self.metrics), console.metrics) }
        return ["time": .string(Log.now()), "vcpus": .array(vcpus), "devices": .array(devices), "terminal": terminal]
    }

    private static func metrics(_ transport: VirtioMMIO) -> JSON {
        let common = transport.counters
        let members: [(String, UInt64)] =
            [
                ("notifications", common.notifications), ("requests", common.requests), ("bytesFromGuest", common.bytesFromGuest),
                ("bytesToGuest", common.bytesToGuest), ("interrupts", common.interrupts), ("throttled", common.throttled),
                ("failures", common.failures),
            ] + transport.device.counters
        return .object([JSON.Member("device", .string(transport.device.kind))] + members.map { JSON.Member($0.0, JSON($0.1)) })
    }
}
