// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The shapes of guests.json, and what is made of them.
import FoundationEssentials
import KVM

struct TableEntry: Decodable { let guests: [GuestEntry] }

struct GuestEntry: Decodable {
    let name: String
    let about: String?
    let mode: String?
    let load: JSONNumber?
    let entry: JSONNumber?
    let pagetables: JSONNumber?
    let registers: [String: JSONNumber]?
    let memory: [MemoryEntry]?
    let requires: [String]?
    let expect: ExpectEntry?
    let exitLimit: JSONNumber?
    let timeout: Double?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, about, mode, load, entry, pagetables, registers, memory, requires, expect, timeout
        case exitLimit = "exit_limit"
        /// For test_misc/checks/run_guest, which has no interpreter: a device may leave instructions to the VMM.
        case finishedByVMM = "finished_by_vmm"
    }

    init(from decoder: any Decoder) throws {
        try checkKeys(decoder, known: CodingKeys.allCases.map(\.rawValue))
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        about = try values.decodeIfPresent(String.self, forKey: .about)
        mode = try values.decodeIfPresent(String.self, forKey: .mode)
        load = try values.decodeIfPresent(JSONNumber.self, forKey: .load)
        entry = try values.decodeIfPresent(JSONNumber.self, forKey: .entry)
        pagetables = try values.decodeIfPresent(JSONNumber.self, forKey: .pagetables)
        registers = try values.decodeIfPresent([String: JSONNumber].self, forKey: .registers)
        memory = try values.decodeIfPresent([MemoryEntry].self, forKey: .memory)
        requires = try values.decodeIfPresent([String].self, forKey: .requires)
        expect = try values.decodeIfPresent(ExpectEntry.self, forKey: .expect)
        exitLimit = try values.decodeIfPresent(JSONNumber.self, forKey: .exitLimit)
        timeout = try values.decodeIfPresent(Double.self, forKey: .timeout)
    }

    func guest() throws(MachineError) -> Guest {
        var guest = Guest(name: name)
        guest.about = about ?? ""
        if let mode {
            guard let known = Guest.Mode(rawValue: mode) else {
                let modes = Guest.Mode.allCases.map(\.rawValue).joined(separator: ", ")
                throw .settings("guest \(name): mode \"\(mode)\" is none of \(modes)")
            }
            guest.mode = known
        }
        guest.load = GuestAddress(load?.value ?? (guest.mode == .real16 ? 0 : Guest.flatLoad))
        guest.entry = GuestAddress(entry?.value ?? guest.load.rawValue)
        if let pagetables { guest.pageTables = GuestAddress(pagetables.value) }
        guest.registers = try named(registers ?? [:], Register.general)
        if let memory { guest.memory = try memory.map { entry throws(MachineError) in try entry.memory(guest: name) } }
        guest.requires = requires ?? []
        for feature in guest.requires where CPUIDFeature.named(feature) == nil {
            let all = CPUIDFeature.all.map(\.name).joined(separator: " ")
            throw .settings("guest \(name): it requires \"\(feature)\", which is none of: \(all)")
        }
        if let exitLimit { guest.exitLimit = Int(clamping: exitLimit.value) }
        if let timeout { guest.timeout = timeout }
        if let expect {
            var expectation = Expectation(end: expect.end)
            expectation.output = expect.output
            expectation.status = expect.status.map { UInt32(truncatingIfNeeded: $0.value) }
            expectation.registers = try named(expect.registers ?? [:], Register.allCases)
            expectation.exits = (expect.exits ?? [:]).mapValues { Int(clamping: $0.value) }
            guest.expectation = expectation
        }
        return guest
    }

    private func named(
        _ values: [String: JSONNumber], _ allowed: [Register]
    ) throws(MachineError) -> [Register: UInt64] {
        var registers: [Register: UInt64] = [:]
        for (key, number) in values {
            guard let register = Register(rawValue: key), allowed.contains(register) else {
                let names = allowed.map(\.rawValue).joined(separator: " ")
                throw .settings("guest \(name): register \"\(key)\" is none of: \(names)")
            }
            registers[register] = number.value
        }
        return registers
    }
}

struct MemoryEntry: Decodable {
    let slot: JSONNumber
    let base: JSONNumber
    let size: JSONNumber
    let readonly: Bool?
    let fill: JSONNumber?

    func memory(guest: String) throws(MachineError) -> Guest.Memory {
        guard let slot = UInt32(exactly: slot.value) else {
            throw .settings("guest \(guest): slot \(slot.value) is above \(UInt32.max)")
        }
        guard let fill = UInt8(exactly: fill?.value ?? 0) else {
            throw .settings("guest \(guest): slot \(slot): the fill must be one byte")
        }
        return Guest.Memory(
            slot: slot, base: GuestAddress(base.value), size: size.value, isReadOnly: readonly ?? false, fill: fill)
    }
}

struct ExpectEntry: Decodable {
    let end: String
    let output: String?
    let status: JSONNumber?
    let registers: [String: JSONNumber]?
    let exits: [String: JSONNumber]?
}
