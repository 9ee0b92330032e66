// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Glibc
import MachineConfig
import VMM

let usage =
    "usage: likex-vmm FILE\n  The process of one VM, as FILE (JSON; - is standard input, /dev/fd/N a descriptor) says. People use: likex boot\n"

/// Says it on standard error.
func say(_ text: String) { _ = unsafe text.withCString { unsafe write(STDERR_FILENO, $0, strlen($0)) } }

guard CommandLine.arguments.count == 2, let path = CommandLine.arguments.last, path == "-" || !path.hasPrefix("-") else {
    say(usage)
    exit(2)
}
do throws(VMMError) {
    try Machine.prepareProcess()
    let end = try Machine(try Settings.read(path)).run()
    if end != .poweredOff { say("likex-vmm: \(end.description)\n") }
    exit(end.status)
} catch {
    say("likex-vmm: \(error.description)\n")
    exit(2)
}
