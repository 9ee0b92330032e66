// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import TestMachine

/// How a guest starts, where that isn't what guests.json says.
struct GuestOptions: ParsableArguments {
    @Option(help: "real16, protected32 or long64 (default: guests.json's, else real16).")
    var mode: OneOf<Guest.Mode>?

    @Option(help: ArgumentHelp("Where the program is loaded.", valueName: "address"))
    var load: NumberArgument?

    @Option(help: ArgumentHelp("The first instruction (default: where the program is loaded).", valueName: "address"))
    var entry: NumberArgument?

    @Option(
        name: .customLong("memory"),
        help: ArgumentHelp(
            "Guest memory, in place of guests.json's: [SLOT:]BASE:SIZE[:ro], for example 0:0x0:64K. May be repeated.",
            valueName: "slot"))
    var memory: [MemoryArgument] = []

    @Option(
        name: .customLong("register"),
        help: ArgumentHelp("A register at the start, rax=0x2. May be repeated.", valueName: "name=value"))
    var registers: [RegisterArgument] = []

    @Option(help: ArgumentHelp("Where long64's page tables are built (default: 0x9000).", valueName: "address"))
    var pagetables: NumberArgument?

    @Option(help: ArgumentHelp("End the run after so many exits (default: 100000).", valueName: "count"))
    var exits: NumberArgument?

    @Option(help: ArgumentHelp("End the run after so many seconds (default: 60).", valueName: "seconds"))
    var timeout: Double?

    func validate() throws {
        if let timeout, !(timeout > 0 && timeout <= 86400) {
            throw ValidationError("--timeout is \(timeout) seconds: give more than 0 and at most 86400")
        }
        if let exits, exits.value == 0 || exits.value > 100_000_000 {
            throw ValidationError("--exits is \(exits.value): give 1 to 100000000")
        }
    }

    /// A guest with the options in place of its own settings.
    func file(_ path: String) throws -> GuestFile {
        var file = try GuestFile(path: path)
        apply(to: &file.guest)
        return file
    }

    private func apply(to guest: inout Guest) {
        if let mode = mode?.value {
            guest.mode = mode
            if mode != .real16, guest.load.rawValue == 0 { move(&guest, to: Guest.flatLoad) }
        }
        if let load { move(&guest, to: load.value) }
        if let entry { guest.entry = GuestAddress(entry.value) }
        if let pagetables { guest.pageTables = GuestAddress(pagetables.value) }
        for setting in registers { guest.registers[setting.register] = setting.value }
        if !memory.isEmpty {
            guest.memory = memory.enumerated().map { index, slot in
                Guest.Memory(
                    slot: slot.slot ?? UInt32(index), base: GuestAddress(slot.base), size: slot.size,
                    isReadOnly: slot.isReadOnly)
            }
        }
        if let exits { guest.exitLimit = Int(exits.value) }
        if let timeout { guest.timeout = timeout }
    }

    private func move(_ guest: inout Guest, to address: UInt64) {
        let offset = guest.entry.rawValue &- guest.load.rawValue
        guest.load = GuestAddress(address)
        guest.entry = GuestAddress(address &+ offset)
    }
}
