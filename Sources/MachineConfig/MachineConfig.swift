// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What a virtual machine is to be: the contents of `likex boot --config FILE`, and what its options make.
public struct MachineConfig: Equatable, Sendable {
    public var kernel: String
    public var initrd: String?
    public var commandLine = ""
    public var cpus = 1
    /// Bytes.
    public var memory: UInt64 = 256 << 20
    public var hugePages = false
    /// Of the hypervisor: `/dev/rust_kvm` or `/dev/kvm`.
    public var device = "/dev/rust_kvm"
    public var disks: [Disk] = []
    /// Empty ones, behind `disks`: what comes by `control` while the machine runs goes there.
    public var spareDisks = 0
    public var networks: [Network] = []
    public var vsock: Vsock?
    public var balloon = false
    public var entropy = true
    /// A virtio console beside the serial port.
    public var console = false
    /// A path for QMP.
    public var control: String?
    /// Of files that lines of JSON are appended to: counters, every so many seconds and at the end; and what happens.
    public var metrics: String?
    public var metricsSeconds: UInt64 = 60
    public var log: String?
    /// The machine's process gives up what it doesn't need, before the guest starts. Off is for debugging.
    public var sandbox = true

    public init(kernel: String) { self.kernel = kernel }

    public struct Disk: Equatable, Sendable {
        public var file: String
        public var id: String?
        public var isReadOnly = false
        public var queues = 1
        public var limits = Limits()

        public init(file: String) { self.file = file }
    }

    public struct Network: Equatable, Sendable {
        /// The host's interface.
        public var tap: String
        public var id: String?
        /// Six bytes; nil for one that the VMM chooses.
        public var mac: [UInt8]?
        public var limits = Limits()

        public init(tap: String) { self.tap = tap }
    }

    public struct Vsock: Equatable, Sendable {
        /// The guest's address: 3 or more, as 0 to 2 have meanings of their own.
        public var cid: UInt32
        /// Of the host's unix socket.
        public var path: String

        public init(cid: UInt32, path: String) {
            self.cid = cid
            self.path = path
        }
    }

    /// What a device may do each second; nil is without a limit.
    public struct Limits: Equatable, Sendable {
        public var bytesPerSecond: UInt64?
        public var operationsPerSecond: UInt64?

        public init() {}
    }

    /// Processors that a machine can have.
    public static let mostCPUs = 64
    public static let smallestMemory: UInt64 = 2 << 20
    public static let largestMemory: UInt64 = 1 << 44
    public static let mostQueues = 16
    public static let mostSpareDisks = 16
}
