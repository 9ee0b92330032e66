// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Devices
import Foundation
import Glibc
import GuestMemory
import JSON
import QMP
import TestRandom
import Testing

@testable import VMM

@Suite("Slots that disks come into and go from")
struct DiskSlotsTests {
    private final class Line: InterruptLine {
        func set(_ level: Bool) {}
    }
    private final class NoPoller: Poller {
        func watch(_ descriptor: Int32, _ events: PollEvents, _ source: any PollSource) {}
        func unwatch(_ descriptor: Int32) {}
        func wake(_ source: any PollSource, after nanoseconds: UInt64) {}
    }

    private let slots: DiskSlots
    private var transports: [VirtioMMIO] = []
    private let fixedFile: TestFile

    init() throws { try self.init(slots: 2) }

    private init(slots count: Int) throws {
        fixedFile = TestFile(4096)
        let disk = try DiskFile(.init(owning: fixedFile.copy), "root.img", isReadOnly: false, others: [])
        let node = QMPReply.Node(name: "disk0", file: "root.img", byteCount: 4096, isReadOnly: false)
        slots = DiskSlots(fixed: [.init(id: "root", node: node, file: disk)], lock: Lock())
        let memory = try GuestMemory([])
        for _ in 0..<count {
            let block = Block(nil)
            let transport = VirtioMMIO(block, memory: memory, interrupt: Line(), poller: NoPoller())
            transports.append(transport)
            slots.attach(block, transport)
        }
    }

    /// Sectors that a driver reads of a slot.
    private func capacity(_ slot: Int) -> UInt64 { transports[slot].read(offset: 0x100, size: 8) }

    private func set(_ descriptor: Int32, _ set: UInt64? = nil) -> UInt64 {
        guard case .success(let reply) = slots.addDescriptor(to: set, note: nil, { HostFile(owning: descriptor) }) else { return .max }
        return reply["fdset-id"]?.integer() ?? .max
    }

    private func node(_ name: String, _ file: String, isReadOnly: Bool = false) -> QMPCommand.BlockNode {
        // As a client says it.
        var session = QMPSession(version: .init(major: 0, minor: 1, micro: 0, package: ""))
        let arguments: JSON = ["node-name": .string(name), "driver": "file", "filename": .string(file), "read-only": .bool(isReadOnly)]
        session.receive(Array(#"{"execute":"qmp_capabilities"}"#.utf8) + (["execute": "blockdev-add", "arguments": arguments] as JSON).bytes)
        _ = session.next()
        guard case .perform(.blockAdd(let node)) = session.next() else { preconditionFailure() }
        return node
    }

    private func device(_ id: String?, _ drive: String, driver: String = "virtio-blk-device") -> QMPCommand.Device {
        var session = QMPSession(version: .init(major: 0, minor: 1, micro: 0, package: ""))
        let arguments: [JSON.Member] = [.init("driver", .string(driver)), .init("drive", .string(drive))] + (id.map { [.init("id", .string($0))] } ?? [])
        session.receive(
            Array(#"{"execute":"qmp_capabilities"}"#.utf8) + (["execute": "device_add", "arguments": .object(arguments)] as JSON).bytes)
        _ = session.next()
        guard case .perform(.deviceAdd(let device)) = session.next() else { preconditionFailure() }
        return device
    }

    private func problem(_ body: () throws(QMPError) -> Void) -> String {
        do throws(QMPError) {
            try body()
            return "none"
        } catch { return "\(error.kind.rawValue): \(error.text)" }
    }

    /// A node of its own file.
    private func addNode(_ name: String, _ file: TestFile, isReadOnly: Bool = false) throws {
        let id = set(file.copy)
        try slots.addNode(node(name, "/dev/fdset/\(id)", isReadOnly: isReadOnly))
        _ = slots.removeDescriptor(id, number: nil)
    }

    @Test func comeAndGo() throws {
        let (one, two, three) = (TestFile(1024), TestFile(2048), TestFile(4096, O_RDONLY))
        try addNode("n1", one)
        try addNode("n2", two)
        try addNode("n3", three, isReadOnly: true)
        #expect(capacity(0) == 0 && capacity(1) == 0)
        let generation = transports[0].read(offset: 0xFC, size: 4)
        try slots.add(device("d1", "n1"))
        #expect(capacity(0) == 2 && capacity(1) == 0 && transports[0].read(offset: 0xFC, size: 4) == generation + 1)
        try slots.add(device("d2", "n2"))
        #expect(capacity(1) == 4)
        #expect(problem { () throws(QMPError) in try slots.add(device("d3", "n3")) } == "GenericError: all 2 slots have disks: take one out with device_del, or start the VM with more (--spare-disks)")
        try slots.remove("d2")
        try slots.remove("d1")
        #expect(capacity(0) == 0 && capacity(1) == 0 && transports[0].read(offset: 0xFC, size: 4) == generation + 2)
        // What has been empty for longer.
        try slots.add(device("d3", "n3"))
        #expect(capacity(1) == 8 && capacity(0) == 0)
        let blocks = try #require(slots.blocks.array)
        #expect(blocks.map { $0["device"]?.string } == ["disk0", "spare0", "spare1"])
        #expect(blocks.map { $0["inserted"]?["node-name"]?.string } == ["disk0", nil, "n3"])
        #expect(blocks[2]["qdev"] == "/machine/peripheral/d3" && blocks[2]["inserted"]?["ro"] == true)
        try slots.remove("d3")
        for name in ["n1", "n2", "n3"] { try slots.removeNode(name) }
        #expect(slots.namedNodes == [])
        // Their locks are gone, though the descriptors' copies here are not.
        for file in [one, two] { #expect(flock(unsafe open("/proc/self/fd/\(file.descriptor)", O_RDWR), LOCK_EX | LOCK_NB) == 0) }
    }

    @Test func wrongNodes() throws {
        let file = TestFile(1024)
        let id = set(file.copy)
        let path = "/dev/fdset/\(id)"
        func problem(_ wanted: QMPCommand.BlockNode) -> String { self.problem { () throws(QMPError) in try slots.addNode(wanted) } }
        #expect(problem(node("n", "/etc/passwd")) == "GenericError: file '/etc/passwd': a running VM opens no files; pass a descriptor with add-fd and name it /dev/fdset/N")
        for bad in ["/dev/fdset/", "/dev/fdset/x", "/dev/fdset/-1", "/dev/fdset/0/../0"] { #expect(problem(node("n", bad)).contains("file '\(bad)'")) }
        #expect(problem(node("n", "/dev/fdset/9")) == "GenericError: there is no set 9: query-fdsets lists those there are, and add-fd makes one")
        #expect(problem(node("a b", path)) == "GenericError: 'node-name' is 'a b', wanted: 1 to 64 letters, digits, '-', '_' and '.'")
        #expect(problem(node("n", path)) == "none")
        #expect(problem(node("n", path)).hasPrefix("GenericError: there is a node 'n' already"))
        #expect(problem(node("m", path)) == "GenericError: the disk \(path): another disk of this VM is the same file, and they aren't both read-only")
        // The configuration's.
        #expect(problem(node("m", "/dev/fdset/\(set(fixedFile.copy))", isReadOnly: true)).contains("another disk of this VM is the same file"))
        #expect(problem(node("m", "/dev/fdset/\(set(unsafe open("/tmp", O_RDONLY)))", isReadOnly: true)).hasSuffix("is neither a file nor a block device"))
        let readOnly = set(TestFile(1024, O_RDONLY).copy)
        #expect(problem(node("m", "/dev/fdset/\(readOnly)")) == "GenericError: no descriptor in set \(readOnly) is open for reading and writing (O_RDWR): pass such a one, or add the node with \"read-only\": true")
        // A set with several: the one that is open for it.
        #expect(set(TestFile(1024).copy, readOnly) == readOnly && problem(node("m", "/dev/fdset/\(readOnly)")) == "none")
        #expect(self.problem { () throws(QMPError) in try slots.removeNode("x") }.hasPrefix("GenericError: there is no node 'x'"))
        try slots.add(device("d", "n"))
        #expect(self.problem { () throws(QMPError) in try slots.removeNode("n") } == "GenericError: node 'n' is in use by device 'd': take that out first, with device_del")
    }

    @Test func wrongDevices() throws {
        try addNode("n", TestFile(1024))
        func problem(_ wanted: QMPCommand.Device) -> String { self.problem { () throws(QMPError) in try slots.add(wanted) } }
        #expect(problem(device("d", "n", driver: "e1000")) == "GenericError: driver 'e1000': only disks come while the VM runs, and their driver is 'virtio-blk-device'")
        #expect(problem(device(nil, "n")).hasPrefix("GenericError: argument 'id' is missing"))
        #expect(problem(device("", "n")).hasPrefix("GenericError: 'id' is ''"))
        #expect(problem(device("root", "n")).hasPrefix("GenericError: there is a device 'root' already"))
        #expect(problem(device("d", "m")).hasPrefix("GenericError: there is no node 'm'"))
        #expect(problem(device("d", "n")) == "none")
        #expect(problem(device("e", "n")) == "GenericError: node 'n' is in use by device 'd'")
        #expect(problem(device("d", "n")).hasPrefix("GenericError: there is a device 'd' already"))
        #expect(self.problem { () throws(QMPError) in try slots.remove("e") } == "DeviceNotFound: there is no device 'e': query-block lists those there are")
        #expect(self.problem { () throws(QMPError) in try slots.remove("root") }.hasPrefix("GenericError: 'root' is a disk of the VM's configuration"))
    }

    @Test func descriptorSets() throws {
        func failure(_ result: Result<JSON, QMPError>) -> String {
            if case .failure(let error) = result { error.text } else { "none" }
        }
        #expect(failure(slots.addDescriptor(to: nil, note: nil) { nil }).hasPrefix("no descriptor has come"))
        #expect(failure(slots.addDescriptor(to: 1 << 32, note: nil) { nil }).hasPrefix("'fdset-id' is 4294967296, wanted: a number up to"))
        let file = TestFile(1)
        #expect(set(file.copy) == 0 && set(file.copy) == 1 && set(file.copy, 7) == 7 && set(file.copy, 0) == 0)
        #expect(slots.descriptors.json.array?.map { $0["fdset-id"] } == [0, 1, 7])
        #expect(slots.descriptors.json.array?.map { $0["fds"]?.array?.count } == [2, 1, 1])
        #expect(failure(slots.removeDescriptor(0, number: 1 << 40)) == "set 0 has no descriptor 1099511627776: query-fdsets lists what there is")
        #expect(failure(slots.removeDescriptor(0, number: nil)) == "none" && set(file.copy) == 0)
        for _ in 0..<DescriptorSets.most - 3 { #expect(set(file.copy) != .max) }
        #expect(failure(slots.addDescriptor(to: nil, note: nil) { HostFile(owning: file.copy) }).hasPrefix("there are 64 descriptors in sets, which is the most"))
        slots.forgetDescriptors()
        #expect(slots.descriptors.json == [])
    }

    /// What clients do by chance, beside a model of it: what must fail fails, and the guest's disks are those that there should be.
    @Test func histories() throws {
        var random = Random(seed: 1)
        let files = (1...5).map { TestFile(512 * $0) }
        let (names, ids) = (["n0", "n1", "n2", "n3"], ["d0", "d1", "d2"])
        var sets: [UInt64: [Int]] = [:]
        var nodes: [String: Int] = [:]
        var used: [String: String] = [:]
        var done = Set<String>()
        func step(_ what: String, _ isFine: Bool, _ body: () throws(QMPError) -> Void) {
            let problem = problem(body)
            #expect((problem == "none") == isFine, "\(what): \(problem)")
            done.insert("\(what) \(isFine)")
        }
        for round in 0..<20_000 {
            let (name, id, number) = (random.pick(names), random.pick(ids), random.below(UInt64(4)))
            switch random.below(60) {
            case 0..<20:
                let (file, isFull) = (random.below(files.count), sets.values.reduce(0) { $0 + $1.count } == DescriptorSets.most)
                #expect(set(files[file].copy, number) == (isFull ? .max : number))
                if !isFull { sets[number, default: []].append(file) }
                done.insert("full \(isFull)")
            case 20..<22:
                step("remove-fd", sets.removeValue(forKey: number) != nil) { () throws(QMPError) in
                    _ = try slots.removeDescriptor(number, number: nil).get()
                }
            case 22..<32:
                let file = sets[number]?.first
                let isFine = nodes[name] == nil && file != nil && !nodes.values.contains(file!)
                step("blockdev-add", isFine) { () throws(QMPError) in try slots.addNode(node(name, "/dev/fdset/\(number)")) }
                if isFine { nodes[name] = file }
            case 32..<40:
                let isFine = nodes[name] != nil && !used.values.contains(name)
                step("blockdev-del", isFine) { () throws(QMPError) in try slots.removeNode(name) }
                if isFine { nodes[name] = nil }
            case 40..<50:
                let isFine = used[id] == nil && nodes[name] != nil && !used.values.contains(name) && used.count < transports.count
                step("device_add", isFine) { () throws(QMPError) in try slots.add(device(id, name)) }
                if isFine { used[id] = name }
            case 50..<59:
                step("device_del", used.removeValue(forKey: id) != nil) { () throws(QMPError) in try slots.remove(id) }
            default:
                guard random.oneIn(20) else { break }
                slots.forgetDescriptors()
                sets = [:]
            }
            let there = transports.indices.map(capacity).filter { $0 != 0 }.sorted()
            #expect(there == used.values.map { UInt64(nodes[$0]! + 1) }.sorted())
            guard round % 100 == 0 else { continue }
            #expect(Set((slots.namedNodes.array ?? []).compactMap { $0["node-name"]?.string }) == Set(nodes.keys))
            // Another VM gets a file's lock if no node has it.
            for (index, file) in files.enumerated() {
                let other = unsafe open("/proc/self/fd/\(file.descriptor)", O_RDWR)
                #expect((flock(other, LOCK_EX | LOCK_NB) == 0) == !nodes.values.contains(index))
                close(other)
            }
        }
        #expect(done.count == 12, "all came about, well and badly: \(done.sorted())")
    }

    @Test func noSlots() throws {
        let tests = try DiskSlotsTests(slots: 0)
        let text = "this VM has no slots for disks: start it with --spare-disks N, or \"spareDisks\": N in its configuration"
        #expect(tests.problem { () throws(QMPError) in try tests.slots.addNode(node("n", "/dev/fdset/0")) } == "GenericError: " + text)
        #expect(tests.slots.addDescriptor(to: nil, note: nil) { nil } == .failure(QMPError(text)))
    }
}
