// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON

extension MachineConfig {
    /// Of a file: a megabyte says more than enough.
    public static let sizeLimit = 1 << 20

    /// Reads a configuration in JSON, strictly: what it doesn't know it names.
    public init(json bytes: [UInt8]) throws(ConfigError) {
        let value: JSON
        do throws(JSONError) { value = try JSONParser.parse(bytes, limit: Self.sizeLimit) } catch {
            throw .notJSON(error)
        }
        self = try ConfigReader.read(value, "", Self.read)
    }

    private static func read(_ reader: inout ConfigReader) throws(ConfigError) -> MachineConfig {
        var config = MachineConfig(kernel: try reader.required("kernel", Text.path, path))
        config.initrd = try reader.optional("initrd", Text.path, path)
        config.commandLine = try reader.optional("append", "text without a zero", text) ?? config.commandLine
        config.cpus = try reader.optional("cpus", "a number from 1 to \(mostCPUs)", number(1...mostCPUs)) ?? config.cpus
        config.memory = try reader.optional("memory", Text.memory, memory) ?? config.memory
        config.hugePages = try reader.optional("hugePages", Text.bool, \.bool) ?? config.hugePages
        config.device = try reader.optional("device", Text.path, path) ?? config.device
        config.disks = try reader.objects("disks", disk)
        config.spareDisks =
            try reader.optional("spareDisks", "a number from 0 to \(mostSpareDisks)", number(0...mostSpareDisks)) ?? config.spareDisks
        config.networks = try reader.objects("networks", network)
        config.vsock = try reader.object("vsock") { (reader) throws(ConfigError) in
            Vsock(
                cid: try reader.required("cid", "a number from 3 to 4294967294", number(3...UInt32.max - 1)),
                path: try reader.required("path", Text.path, path))
        }
        config.balloon = try reader.optional("balloon", Text.bool, \.bool) ?? config.balloon
        config.entropy = try reader.optional("entropy", Text.bool, \.bool) ?? config.entropy
        config.console = try reader.optional("console", Text.bool, \.bool) ?? config.console
        config.control = try reader.optional("control", Text.path, path)
        if config.spareDisks > 0, config.control == nil {
            throw .missing(path: "control", wanted: "a socket's path, for that is how disks get into the \(config.spareDisks) of spareDisks")
        }
        config.metrics = try reader.optional("metrics", Text.path, path)
        config.metricsSeconds = try reader.optional("metricsSeconds", "a number from 1 to 86400", number(1...86400)) ?? config.metricsSeconds
        config.log = try reader.optional("log", Text.path, path)
        config.sandbox = try reader.optional("sandbox", Text.bool, \.bool) ?? config.sandbox
        return config
    }

    private static func disk(_ reader: inout ConfigReader) throws(ConfigError) -> Disk {
        var disk = Disk(file: try reader.required("file", Text.path, path))
        disk.id = try reader.optional("id", Text.id, identifier)
        disk.isReadOnly = try reader.optional("readOnly", Text.bool, \.bool) ?? disk.isReadOnly
        let queues = number(1...mostQueues)
        disk.queues = try reader.optional("queues", "a number from 1 to \(mostQueues)", queues) ?? disk.queues
        disk.limits = try limits(&reader)
        return disk
    }

    private static func network(_ reader: inout ConfigReader) throws(ConfigError) -> Network {
        // The kernel's names have 15 bytes at most (IFNAMSIZ).
        var network = Network(
            tap: try reader.required("tap", "an interface's name, of 1 to 15 bytes without '/' and space") {
                guard let name = identifier($0), name.utf8.count <= 15 else { return nil }
                return name
            })
        network.id = try reader.optional("id", Text.id, identifier)
        network.mac = try reader.optional(
            "mac", "six pairs of hexadecimal digits with colons between them, of one station", mac)
        network.limits = try limits(&reader)
        return network
    }

    private static func limits(_ reader: inout ConfigReader) throws(ConfigError) -> Limits {
        var limits = Limits()
        limits.bytesPerSecond = try reader.optional("bytesPerSecond", Text.rate, number(1...UInt64.max))
        limits.operationsPerSecond = try reader.optional("operationsPerSecond", Text.rate, number(1...UInt64.max))
        return limits
    }

    private enum Text {
        static let path = "a path: text of 1 to 4095 bytes without a zero"
        static let bool = "true or false"
        static let id = "1 to 64 letters, digits, '-', '_' and '.'"
        static let rate = "a whole number from 1"
        static let memory = "bytes, or text like \"512M\" or \"2G\": a multiple of 4 KiB from 2M to 16T"
    }
}
