// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Devices
import JSON
import MachineConfig
import QMP

/// The disks that come and go while a machine runs: files that clients pass (`add-fd`), nodes made of them (`blockdev-add`), and the slots that these are
/// put into (`device_add`). On the event loop's thread; the devices under their lock.
final class DiskSlots {
    /// A disk of the configuration, which stays.
    struct Fixed {
        let id: String?
        let node: QMPReply.Node
        let file: DiskFile
    }

    private struct Node {
        let json: QMPReply.Node
        let disk: DiskFile
    }

    private struct Slot {
        let block: Block
        let transport: VirtioMMIO
        var used: (id: String, node: String)?
        /// When it was emptied last, in the order of such events.
        var emptied = 0
    }

    /// Nodes that there can be: each has a descriptor.
    static let mostNodes = 64

    private let fixed: [Fixed]
    private let lock: Lock
    private var slots: [Slot] = []
    private var nodes: [Node] = []
    private var removals = 0
    private(set) var descriptors = DescriptorSets()

    init(fixed: [Fixed], lock: Lock) { (self.fixed, self.lock) = (fixed, lock) }

    func attach(_ block: Block, _ transport: VirtioMMIO) { slots.append(Slot(block: block, transport: transport)) }

    // MARK: Descriptors

    func addDescriptor(to set: UInt64?, note: String?, _ take: () -> HostFile?) -> Result<JSON, QMPError> {
        guard !slots.isEmpty else { return .failure(Self.noSlots) }
        return descriptors.add(to: set, note: note, take)
    }

    func removeDescriptor(_ set: UInt64, number: UInt64?) -> Result<JSON, QMPError> { descriptors.remove(set, number: number) }

    /// Nobody is there any longer who knows of the sets: nodes keep what they have.
    func forgetDescriptors() { descriptors = DescriptorSets() }

    // MARK: Nodes

    func addNode(_ wanted: QMPCommand.BlockNode) throws(QMPError) {
        guard !slots.isEmpty else { throw Self.noSlots }
        try Self.check("node-name", wanted.name)
        guard !nodes.contains(where: { $0.json.name == wanted.name }) else {
            throw QMPError("there is a node '\(wanted.name)' already: give this one another name, or take that away with blockdev-del")
        }
        guard nodes.count < Self.mostNodes else {
            throw QMPError("there are \(nodes.count) nodes, which is the most: blockdev-del takes some away")
        }
        let file = try descriptors.file(wanted.file, forWriting: !wanted.isReadOnly)
        do throws(VMMError) {
            let disk = try DiskFile(file, wanted.file, isReadOnly: wanted.isReadOnly, others: fixed.map(\.file) + nodes.map(\.disk))
            let json = QMPReply.Node(name: wanted.name, file: wanted.file, byteCount: disk.byteCount, isReadOnly: wanted.isReadOnly)
            nodes.append(Node(json: json, disk: disk))
        } catch {
            throw QMPError(error.description)
        }
    }

    func removeNode(_ name: String) throws(QMPError) {
        let index = try index(ofNode: name)
        if let user = slots.compactMap(\.used).first(where: { $0.node == name }) {
            throw QMPError("node '\(name)' is in use by device '\(user.id)': take that out first, with device_del")
        }
        nodes.remove(at: index).disk.unlock()
    }

    private func index(ofNode name: String) throws(QMPError) -> Int {
        guard let index = nodes.firstIndex(where: { $0.json.name == name }) else {
            throw QMPError("there is no node '\(name)': query-named-block-nodes lists those there are, and blockdev-add makes one")
        }
        return index
    }

    // MARK: Devices

    func add(_ device: QMPCommand.Device) throws(QMPError) {
        guard device.driver == QMPCommand.Device.blockDriver else {
            throw QMPError("driver '\(device.driver)': only disks come while the VM runs, and their driver is '\(QMPCommand.Device.blockDriver)'")
        }
        guard let id = device.id else { throw QMPError("argument 'id' is missing: a name by which device_del takes it out again") }
        try Self.check("id", id)
        guard !fixed.contains(where: { $0.id == id }), !slots.contains(where: { $0.used?.id == id }) else {
            throw QMPError("there is a device '\(id)' already: give this one another id")
        }
        let wanted = try device.block()
        let node = nodes[try index(ofNode: wanted.drive)]
        if let user = slots.compactMap(\.used).first(where: { $0.node == wanted.drive }) {
            throw QMPError("node '\(wanted.drive)' is in use by device '\(user.id)'")
        }
        guard !slots.isEmpty else { throw Self.noSlots }
        // What has been empty for the longest time: what a guest wrote late, of a file system that it did not unmount, should not meet another disk.
        guard let index = slots.indices.filter({ slots[$0].used == nil }).min(by: { slots[$0].emptied < slots[$1].emptied }) else {
            throw QMPError("all \(slots.count) slots have disks: take one out with device_del, or start the VM with more (--spare-disks)")
        }
        let disk = Block.Disk(
            node.disk.file, byteCount: node.disk.byteCount, isReadOnly: node.disk.isReadOnly, identifier: wanted.serial ?? id)
        slots[index].used = (id, wanted.drive)
        exchange(index, for: disk, RateLimiter(bytesPerSecond: wanted.bytesPerSecond, operationsPerSecond: wanted.operationsPerSecond))
    }

    func remove(_ id: String) throws(QMPError) {
        guard let index = slots.firstIndex(where: { $0.used?.id == id }) else {
            guard !fixed.contains(where: { $0.id == id }) else {
                throw QMPError("'\(id)' is a disk of the VM's configuration, which stays: what device_add put in can be taken out")
            }
            throw QMPError(.deviceNotFound, "there is no device '\(id)': query-block lists those there are")
        }
        removals += 1
        (slots[index].used, slots[index].emptied) = (nil, removals)
        exchange(index, for: nil, RateLimiter())
    }

    private func exchange(_ index: Int, for disk: Block.Disk?, _ limiter: RateLimiter) {
        let (block, transport) = (slots[index].block, slots[index].transport)
        lock.withLock {
            transport.guarded { () throws(VirtioError) in try block.exchange(for: disk, limiter: limiter) }
            transport.configurationChanged()
        }
    }

    // MARK: What there is

    /// `query-block`: the configuration's disks, and the slots behind them.
    var blocks: JSON {
        let fixed = fixed.enumerated().map { index, disk in
            QMPReply.block(device: "disk\(index)", id: disk.id, isSlot: false, node: disk.node)
        }
        let slots = slots.enumerated().map { index, slot in
            QMPReply.block(
                device: "spare\(index)", id: slot.used?.id, isSlot: true,
                node: nodes.first { $0.json.name == slot.used?.node }?.json)
        }
        return .array(fixed + slots)
    }

    /// `query-named-block-nodes`
    var namedNodes: JSON { .array(nodes.map(\.json.json)) }

    private static func check(_ what: String, _ name: String) throws(QMPError) {
        guard MachineConfig.isIdentifier(name) else {
            throw QMPError("'\(what)' is '\(name)', wanted: 1 to 64 letters, digits, '-', '_' and '.'")
        }
    }

    private static let noSlots = QMPError(
        "this VM has no slots for disks: start it with --spare-disks N, or \"spareDisks\": N in its configuration")
}
