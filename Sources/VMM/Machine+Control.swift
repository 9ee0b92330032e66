// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Boot
import Devices
import JSON
import QMP

/// What a control connection can do to a machine. On the event loop's thread.
extension Machine: ControlSocket.Delegate {
    func perform(_ command: QMPCommand, _ takeDescriptor: () -> HostFile?) -> Result<JSON, QMPError> {
        switch command {
        case .queryStatus: return .success(QMPReply.status(control.isPaused ? .paused : .running))
        case .stop: setPaused(true)
        case .cont: setPaused(false)
        case .quit: end(.stopped("ended by a control connection"))
        case .systemReset: end(.reset)
        case .systemPowerdown: bus.lock.withLock { bus.ioapic?.input(Int(Layout.powerButtonGSI)).pulse() }
        case .queryCPUs: return .success(QMPReply.cpus(threads: bus.lock.withLock { processors.map { Int($0.threadID) } }))
        case .queryBalloon:
            guard let balloon = virtio.balloon else { return .failure(Self.noBalloon) }
            let given = bus.lock.withLock { UInt64(balloon.actual) } << 12
            return .success(QMPReply.balloon(bytes: memorySize - min(given, memorySize)))
        case .balloon(let bytes):
            guard let balloon = virtio.balloon else { return .failure(Self.noBalloon) }
            guard bytes <= memorySize else {
                return .failure(QMPError("'value' is \(bytes), but the guest has \(memorySize) bytes of memory"))
            }
            bus.lock.withLock { balloon.setTarget(pages: UInt32(clamping: (memorySize - bytes) >> 12)) }
        case .deviceAdd(let device):
            return changing { () throws(QMPError) in
                try disks.add(device)
                log.write(.info, "disk-added", "a disk has come", [JSON.Member("id", .string(device.id ?? ""))])
            }
        case .deviceDel(let id):
            return changing { () throws(QMPError) in
                try disks.remove(id)
                log.write(.info, "disk-removed", "a disk has gone", [JSON.Member("id", .string(id))])
                controlSocket?.tell("DEVICE_DELETED", QMPReply.deleted(id: id))
            }
        case .blockAdd(let node): return changing { () throws(QMPError) in try disks.addNode(node) }
        case .blockDel(let name): return changing { () throws(QMPError) in try disks.removeNode(name) }
        case .descriptorAdd(let set, let note): return disks.addDescriptor(to: set, note: note, takeDescriptor)
        case .descriptorRemove(let set, let number): return disks.removeDescriptor(set, number: number)
        case .queryDescriptorSets: return .success(disks.descriptors.json)
        case .queryBlock: return .success(disks.blocks)
        case .queryNodes: return .success(disks.namedNodes)
        case .queryMetrics: return .success(metrics())
        // None can be added.
        case .queryHotpluggableCPUs: return .success([])
        }
        return .success(QMPReply.nothing)
    }

    func lastClientLeft() { disks.forgetDescriptors() }

    private func changing(_ body: () throws(QMPError) -> Void) -> Result<JSON, QMPError> {
        do throws(QMPError) {
            try body()
            return .success(QMPReply.nothing)
        } catch {
            return .failure(error)
        }
    }

    private static let noBalloon = QMPError(.deviceNotActive, "the machine has no balloon: ask for one in its configuration")

    private func setPaused(_ paused: Bool) {
        guard control.setPaused(paused) else { return }
        for processor in processors { processor.kick() }
        controlSocket?.tell(paused ? "STOP" : "RESUME")
        log.write(.info, paused ? "paused" : "resumed", paused ? "the machine stands still" : "the machine goes on")
    }
}
