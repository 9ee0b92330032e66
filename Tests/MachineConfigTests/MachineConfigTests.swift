// SPDX-License-Identifier: MIT OR GPL-2.0-only
import JSON
import Testing

@testable import MachineConfig

@Suite("A machine's configuration")
struct MachineConfigTests {
    private func parse(_ text: String) throws(ConfigError) -> MachineConfig {
        try MachineConfig(json: Array(text.utf8))
    }

    @Test("needs a kernel, and has a value for all else")
    func least() throws {
        #expect(try parse(#"{"kernel":"/boot/vmlinuz"}"#) == MachineConfig(kernel: "/boot/vmlinuz"))
    }

    @Test("says all that there is")
    func all() throws {
        let config = try parse(
            """
            {"kernel": "k", "initrd": "i", "append": "console=ttyS0 é", "cpus": 64, "memory": "2G", "hugePages": true,
             "device": "/dev/kvm", "balloon": true, "entropy": false, "console": true, "control": "c", "metrics": "m", "metricsSeconds": 5, "log": "l", "sandbox": false,
             "disks": [{"file": "a.img", "id": "root", "readOnly": true, "queues": 4, "bytesPerSecond": 1000},
                       {"file": "b.img"}], "spareDisks": 16,
             "networks": [{"tap": "tap0", "mac": "52:54:00:12:34:fF", "operationsPerSecond": 5}],
             "vsock": {"cid": 3, "path": "/run/v"}}
            """)
        var expected = MachineConfig(kernel: "k")
        expected.initrd = "i"
        expected.commandLine = "console=ttyS0 é"
        expected.cpus = 64
        expected.memory = 2 << 30
        expected.hugePages = true
        expected.device = "/dev/kvm"
        expected.balloon = true
        expected.entropy = false
        expected.console = true
        (expected.control, expected.metrics, expected.log) = ("c", "m", "l")
        (expected.sandbox, expected.metricsSeconds) = (false, 5)
        var disk = MachineConfig.Disk(file: "a.img")
        disk.id = "root"
        disk.isReadOnly = true
        disk.queues = 4
        disk.limits.bytesPerSecond = 1000
        expected.disks = [disk, MachineConfig.Disk(file: "b.img")]
        expected.spareDisks = 16
        var network = MachineConfig.Network(tap: "tap0")
        network.mac = [0x52, 0x54, 0, 0x12, 0x34, 0xFF]
        network.limits.operationsPerSecond = 5
        expected.networks = [network]
        expected.vsock = MachineConfig.Vsock(cid: 3, path: "/run/v")
        #expect(config == expected)
    }

    static let refused: [(String, String)] = [
        ("{}", "configuration: kernel is missing: a path"), ("[]", "configuration: it is an array, wanted: an object"),
        (
            #"{"kernel":"k","kernal":"x"}"#,
            "configuration: kernal is unknown here; there are kernel, initrd, append, cpus"
        ),
        (#"{"kernel":""}"#, #"configuration: kernel is "", wanted: a path"#),
        (#"{"kernel":"a\u0000b"}"#, "configuration: kernel is"),
        (#"{"kernel":"k","cpus":0}"#, "configuration: cpus is 0, wanted: a number from 1 to 64"),
        (#"{"kernel":"k","cpus":65}"#, "configuration: cpus is 65"),
        (#"{"kernel":"k","cpus":1.0}"#, "configuration: cpus is 1.0"),
        (#"{"kernel":"k","cpus":"1"}"#, #"configuration: cpus is "1""#),
        (#"{"kernel":"k","memory":"1M"}"#, #"configuration: memory is "1M""#),
        (#"{"kernel":"k","memory":2097153}"#, "configuration: memory is 2097153"),
        (#"{"kernel":"k","memory":"99999999999999T"}"#, "configuration: memory is"),
        (#"{"kernel":"k","memory":"+2G"}"#, "configuration: memory is"),
        (#"{"kernel":"k","disks":{}}"#, "configuration: disks is an object, wanted: an array"),
        (#"{"kernel":"k","disks":[{"file":"f"},{"path":"f"}]}"#, "configuration: disks[1].file is missing"),
        (
            #"{"kernel":"k","disks":[{"file":"f","redonly":true}]}"#,
            "configuration: disks[0].redonly is unknown here; there are file, id, readOnly, queues"
        ),
        (#"{"kernel":"k","disks":[{"file":"f","queues":17}]}"#, "configuration: disks[0].queues is 17"),
        (#"{"kernel":"k","disks":[{"file":"f","bytesPerSecond":0}]}"#, "configuration: disks[0].bytesPerSecond is 0"),
        (#"{"kernel":"k","disks":[{"file":"f","id":"a b"}]}"#, "configuration: disks[0].id is"),
        (#"{"kernel":"k","networks":[{"tap":"sixteen-bytes-xx"}]}"#, "configuration: networks[0].tap is"),
        (#"{"kernel":"k","networks":[{"tap":"t","mac":"01:00:00:00:00:01"}]}"#, "configuration: networks[0].mac is"),
        (#"{"kernel":"k","networks":[{"tap":"t","mac":"00:00:00:00:00:00"}]}"#, "configuration: networks[0].mac is"),
        (#"{"kernel":"k","networks":[{"tap":"t","mac":"52:54:00:12:34:5"}]}"#, "configuration: networks[0].mac is"),
        (#"{"kernel":"k","networks":[{"tap":"t","mac":"+2:54:00:12:34:56"}]}"#, "configuration: networks[0].mac is"),
        (#"{"kernel":"k","vsock":{"cid":2,"path":"p"}}"#, "configuration: vsock.cid is 2, wanted: a number from 3"),
        (#"{"kernel":"k","vsock":{"cid":4294967295,"path":"p"}}"#, "configuration: vsock.cid is 4294967295"),
        (#"{"kernel":"k","vsock":{"cid":3}}"#, "configuration: vsock.path is missing"),
        (#"{"kernel":"k","spareDisks":17,"control":"c"}"#, "configuration: spareDisks is 17, wanted: a number from 0 to 16"),
        (#"{"kernel":"k","spareDisks":2}"#, "configuration: control is missing: a socket's path, for that is how disks get into the 2 of"),
        (#"{"kernel":"k"#, "configuration: line 1, column 13: the end"),
    ]

    @Test("what is wrong is named with its place and value", arguments: refused)
    func wrong(_ text: String, _ start: String) {
        do throws(ConfigError) {
            _ = try parse(text)
            Issue.record("\(text) was taken")
        } catch { #expect(error.description.hasPrefix(start), "\(error)") }
    }

    @Test(
        "sizes",
        arguments: [
            ("0", 0), ("512M", 512 << 20), ("1K", 1024), ("16T", 16 << 40), ("", nil), ("M", nil), ("-1", nil),
            ("1m", nil), ("1 M", nil), ("18446744073709551615", .max), ("18446744073709551616", nil),
            ("18014398509481984K", nil),
        ] as [(String, UInt64?)])
    func sizes(_ text: String, _ size: UInt64?) { #expect(MachineConfig.size(text) == size) }
}
