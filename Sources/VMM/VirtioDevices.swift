// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Boot
import CVMMSys
import Devices
import Glibc
import MachineConfig
import QMP

/// The virtio devices that a configuration names, opened: in the order in which the guest finds them.
struct VirtioDevices {
    private(set) var devices: [any VirtioDevice] = []
    private(set) var balloon: Balloon?
    private(set) var console: Devices.Console?
    /// The configuration's disks; and its empty ones, by their place in `devices`.
    private(set) var disks: [DiskSlots.Fixed] = []
    private(set) var spareDisks: [(number: Int, block: Block)] = []

    /// - Parameter output: takes what the guest sends to a virtio console, and says how much of it.
    init(_ config: MachineConfig, output: @escaping ([UInt8]) -> Int) throws(VMMError) {
        for (index, disk) in config.disks.enumerated() {
            let file = try Self.open(disk, disks.map(\.file))
            let node = QMPReply.Node(name: "disk\(index)", file: disk.file, byteCount: file.byteCount, isReadOnly: disk.isReadOnly)
            disks.append(DiskSlots.Fixed(id: disk.id, node: node, file: file))
            devices.append(Self.block(disk, file))
        }
        for _ in 0..<config.spareDisks {
            let block = Block(nil)
            spareDisks.append((devices.count, block))
            devices.append(block)
        }
        for (index, network) in config.networks.enumerated() { devices.append(try Self.network(network, index)) }
        if let vsock = config.vsock { devices.append(try Self.vsock(vsock)) }
        if config.balloon {
            let balloon = Balloon()
            self.balloon = balloon
            devices.append(balloon)
        }
        if config.entropy { devices.append(Entropy()) }
        if config.console {
            let console = Devices.Console(sink: output)
            self.console = console
            devices.append(console)
        }
        guard devices.count <= Layout.freeGSIs.count else {
            throw VMMError("\(devices.count) virtio devices: there is room for \(Layout.freeGSIs.count)")
        }
    }

    /// What ACPI says of the device with this number. Its interrupt is an edge: nothing has to be acknowledged in user space.
    static func place(_ number: Int) -> Board.VirtioDevice {
        Board.VirtioDevice(
            address: UInt32(Layout.virtio + UInt64(number) * Layout.virtioSize), gsi: Layout.freeGSIs[number], trigger: .edge)
    }

    private static func open(_ disk: MachineConfig.Disk, _ others: [DiskFile]) throws(VMMError) -> DiskFile {
        let descriptor = unsafe Glibc.open(disk.file, (disk.isReadOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC)
        guard descriptor >= 0 else { throw VMMError("the disk \(disk.file)", errno: errno) }
        return try DiskFile(HostFile(owning: descriptor), disk.file, isReadOnly: disk.isReadOnly, others: others)
    }

    private static func block(_ disk: MachineConfig.Disk, _ file: DiskFile) -> Block {
        Block(
            file.file, byteCount: file.byteCount, isReadOnly: disk.isReadOnly, identifier: disk.id ?? "", queues: disk.queues,
            limiter: RateLimiter(disk.limits))
    }

    private static func network(_ network: MachineConfig.Network, _ index: Int) throws(VMMError) -> Network {
        let descriptor = unsafe lkx_vmm_tap(network.tap)
        guard descriptor >= 0 else {
            throw VMMError(
                "the tap \(network.tap)", errno: errno, "it is made by: ip tuntap add \(network.tap) mode tap user NAME")
        }
        // Locally administered; the same every time, so that a guest finds its settings again.
        let mac = network.mac ?? [0x02, 0x4C, 0x4B, 0x58, 0x00, UInt8(truncatingIfNeeded: index)]
        do throws(HostError) {
            return try Network(
                HostFile(owning: descriptor), mac: mac, receiveLimiter: RateLimiter(network.limits),
                transmitLimiter: RateLimiter(network.limits))
        } catch {
            throw VMMError("the tap \(network.tap)", errno: error.errno)
        }
    }

    private static func vsock(_ vsock: MachineConfig.Vsock) throws(VMMError) -> Vsock {
        do throws(HostError) {
            return Vsock(guestCID: UInt64(vsock.cid), host: try UnixVsockHost(path: vsock.path))
        } catch {
            throw VMMError("the socket \(vsock.path)", errno: error.errno)
        }
    }
}

extension RateLimiter {
    fileprivate init(_ limits: MachineConfig.Limits) {
        self.init(bytesPerSecond: limits.bytesPerSecond, operationsPerSecond: limits.operationsPerSecond)
    }

    /// A second's worth can be saved.
    init(bytesPerSecond: UInt64?, operationsPerSecond: UInt64?) {
        let now = Host.now()
        self.init(
            bytes: bytesPerSecond.map { TokenBucket(rate: $0, burst: $0, now: now) },
            operations: operationsPerSecond.map { TokenBucket(rate: $0, burst: $0, now: now) })
    }
}
