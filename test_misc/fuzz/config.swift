// SPDX-License-Identifier: MIT OR GPL-2.0-only
// fuzz: -max_len=512
// Fuzzes what reads a machine's configuration, and JSON, which it is written in. The input is the file.
@testable import JSON
@testable import MachineConfig

@c(LLVMFuzzerTestOneInput)
public func fuzzConfig(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
    let value: JSON?
    do throws(JSONError) { value = try JSONParser.parse(bytes) } catch {
        precondition(error.offset >= 0 && error.offset <= size && error.line >= 1 && error.column >= 1)
        precondition(error.column <= error.offset + 1 && !error.description.isEmpty)
        value = nil
    }
    if let value {
        // What is written again is read as the same.
        precondition((try? JSONParser.parse(value.bytes)) == value)
        checkPrefix(bytes, value)
    }
    do throws(ConfigError) {
        check(try MachineConfig(json: bytes))
        precondition(value != nil)
    } catch {
        // By bytes: a name that begins with a combining mark joins the space before it.
        precondition(error.description.utf8.starts(with: "configuration: ".utf8))
        if case .notJSON = error { precondition(value == nil) } else { precondition(value != nil) }
    }
    return 0
}

/// An array, object or string is whole only with its last byte.
func checkPrefix(_ bytes: [UInt8], _ value: JSON) {
    switch value {
    case .array, .object, .string: break
    default: return
    }
    guard let last = bytes.lastIndex(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else { return }
    precondition((try? JSONParser.parse(Array(bytes[..<last]))) == nil)
}

/// What a VMM relies on.
func check(_ config: MachineConfig) {
    let paths =
        [config.kernel, config.device]
        + [config.initrd, config.control, config.metrics, config.log, config.vsock?.path].compactMap { $0 }
    for path in paths + config.disks.map(\.file) {
        precondition((1...4095).contains(path.utf8.count) && !path.utf8.contains(0))
    }
    precondition(!config.commandLine.utf8.contains(0))
    precondition((1...MachineConfig.mostCPUs).contains(config.cpus))
    precondition(config.memory & 0xFFF == 0 && config.memory >= 2 << 20 && config.memory <= 1 << 44)
    for disk in config.disks {
        precondition((1...MachineConfig.mostQueues).contains(disk.queues) && disk.limits.bytesPerSecond != 0)
    }
    for network in config.networks {
        precondition((1...15).contains(network.tap.utf8.count) && !network.tap.utf8.contains(0x2F))
        if let mac = network.mac { precondition(mac.count == 6 && mac[0] & 1 == 0) }
    }
    if let vsock = config.vsock { precondition(vsock.cid > 2 && vsock.cid < .max) }
}
