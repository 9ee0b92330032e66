// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import Glibc
import JSON
import MachineConfig
import TestMachine

struct BootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boot",
        abstract: "Boots Linux in a microVM, with its serial console on this terminal.",
        discussion: """
            This command becomes likex-vmm, the process of one VM, which lies beside it. On a terminal, Ctrl-A and x end the \
            VM. A guest that powers off or resets ends it with status 0, one that crashes (triple fault) with 3, a device \
            that fails with 1; 2 means wrong settings, 4 that the VM's process wanted a system call that its sandbox forbids.

            The kernel is a bzImage or an ELF vmlinux, which starts sooner. The device must have local APICs in the kernel \
            (KVM_CAP_SPLIT_IRQCHIP).

            EXAMPLES:
              likex boot --kernel vmlinux --initrd initrd.img --append 'console=ttyS0'
              likex boot --kernel vmlinux --cpus 2 --memory 512M --disk root.img --append 'console=ttyS0 root=/dev/vda'
              likex boot --config machine.json --memory 1G --device /dev/kvm

            machine.json: { "kernel": "vmlinux", "append": "console=ttyS0", "disks": [{ "file": "root.img" }] }
            """)

    @Option(help: ArgumentHelp("The kernel.", valueName: "file"))
    var kernel: String?

    @Option(help: ArgumentHelp("Its initial file system.", valueName: "file"))
    var initrd: String?

    @Option(help: ArgumentHelp("Its command line.", valueName: "text"))
    var append: String?

    @Option(help: ArgumentHelp("Processors (default: 1).", valueName: "number"))
    var cpus: Int?

    @Option(help: ArgumentHelp("RAM, with M or G (default: 256M).", valueName: "size"))
    var memory: String?

    @Option(help: ArgumentHelp("A disk: a raw image or a block device; ,ro for one that the guest only reads. Again for more.", valueName: "file"))
    var disk: [String] = []

    @Option(help: ArgumentHelp("Empty disks, to be filled by way of --control while the VM runs: device_add, device_del (default: 0).", valueName: "number"))
    var spareDisks: Int?

    @Option(help: ArgumentHelp("A network interface on this tap of the host. Again for more.", valueName: "tap"))
    var net: [String] = []

    @Option(help: ArgumentHelp("Sockets between guest and host: its address, from 3 on, and a unix socket's path.", valueName: "cid:path"))
    var vsock: String?

    @Flag(help: "A balloon: memory that the guest can give back.")
    var balloon = false

    @Flag(help: "A virtio console (hvc0) beside the serial line: what is typed goes there once the guest has a driver for it.")
    var console = false

    @Option(help: ArgumentHelp("What happens, as lines of JSON that are appended to this file.", valueName: "path"))
    var log: String?

    @Option(help: ArgumentHelp("Counters, each minute and at the end, as lines of JSON that are appended to this file.", valueName: "path"))
    var metrics: String?

    @Option(help: ArgumentHelp("A unix socket that speaks QMP.", valueName: "path"))
    var control: String?

    @Option(help: ArgumentHelp("The device (default: /dev/rust_kvm if there is one, else /dev/kvm).", valueName: "path"))
    var device: String?

    @Flag(help: "RAM of 2 MiB pages from the host's pool (/proc/sys/vm/nr_hugepages).")
    var hugePages = false

    @Flag(help: "For debugging: the VM's process keeps its privileges and all system calls. Without it, it has a seccomp filter and Landlock.")
    var noSandbox = false

    @Option(help: ArgumentHelp("Settings in JSON; options go before them.", valueName: "file"))
    var config: String?

    func run() throws {
        var settings = try config.map(Self.read) ?? []
        func set(_ name: String, _ value: JSON?) {
            guard let value else { return }
            settings.removeAll { $0.name == name }
            settings.append(JSON.Member(name, value))
        }
        set("kernel", kernel.map(JSON.string))
        set("initrd", initrd.map(JSON.string))
        set("append", append.map(JSON.string))
        set("cpus", cpus.map { JSON($0) })
        set("memory", memory.map(JSON.string))
        set("disks", disk.isEmpty ? nil : .array(disk.map(Self.disk)))
        set("spareDisks", spareDisks.map { JSON($0) })
        set("networks", net.isEmpty ? nil : .array(net.map { ["tap": .string($0)] }))
        set("vsock", try vsock.map(Self.vsock))
        set("balloon", balloon ? true : nil)
        set("console", console ? true : nil)
        set("log", log.map(JSON.string))
        set("metrics", metrics.map(JSON.string))
        set("control", control.map(JSON.string))
        set("sandbox", noSandbox ? false : nil)
        set("hugePages", hugePages ? true : nil)
        let found = [Devices.likex, Devices.stock].first(where: Console.exists) ?? Devices.likex
        set("device", device.map(JSON.string) ?? (settings.contains { $0.name == "device" } ? nil : .string(found)))
        guard settings.contains(where: { $0.name == "kernel" }) else {
            throw MachineError.settings("which kernel? --kernel FILE, or \"kernel\" in the file of --config")
        }
        let bytes = JSON.object(settings).bytes
        let checked: MachineConfig
        do throws(ConfigError) { checked = try MachineConfig(json: bytes) } catch { throw MachineError.settings("\(error)") }
        if checked.device == Devices.simulated {
            throw MachineError.settings("the simulated device can't boot Linux yet: use \(Devices.likex) or \(Devices.stock)")
        }
        try Self.become(bytes)
    }

    private static func read(_ path: String) throws(MachineError) -> [JSON.Member] {
        let text: String
        switch SystemFile.read(path) {
        case .success(let contents): text = contents
        case .failure(let error): throw .settings("the settings \(path) can't be read: \(error)")
        }
        let value: JSON
        do throws(JSONError) { value = try JSONParser.parse(Array(text.utf8), limit: MachineConfig.sizeLimit) } catch {
            throw .settings("\(path): \(error)")
        }
        guard let members = value.members else {
            throw .settings("\(path): the settings are \(value.kind), but must be an object: { \"kernel\": ... }")
        }
        return members
    }

    private static func disk(_ text: String) -> JSON {
        text.hasSuffix(",ro") ? ["file": .string(String(text.dropLast(3))), "readOnly": true] : ["file": .string(text)]
    }

    private static func vsock(_ text: String) throws(MachineError) -> JSON {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let cid = UInt32(parts[0]) else {
            throw .settings("--vsock \(text): a number and a path are wanted, 3:/tmp/guest.sock")
        }
        return ["cid": JSON(cid), "path": .string(String(parts[1]))]
    }

    /// This process is likex-vmm from here on, which reads its settings from a descriptor that it inherits.
    private static func become(_ settings: [UInt8]) throws(MachineError) {
        let program = try program()
        var pipe: [Int32] = [-1, -1]
        // A pipe holds 64 KiB: more than any command line makes. Larger files would block here.
        guard settings.count <= 65536, unsafe Glibc.pipe(&pipe) == 0 else {
            throw .settings("settings of \(settings.count) bytes can't be handed over")
        }
        _ = unsafe settings.withUnsafeBytes { unsafe write(pipe[1], $0.baseAddress, $0.count) }
        close(pipe[1])
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("likex-vmm"), strdup("/dev/fd/\(pipe[0])"), nil]
        _ = unsafe execv(program, &arguments)
        let error = unsafe String(cString: strerror(errno))
        throw .settings("\(program) can't be started: \(error)")
    }

    /// likex-vmm, where this program is.
    private static func program() throws(MachineError) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = own.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/likex-vmm"
        guard Console.exists(path) else {
            throw .settings("there is no \(path), the program of a VM's process: it is built beside this one by: make likex")
        }
        return path
    }
}
