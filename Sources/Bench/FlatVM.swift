// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import TestMachine

/// A VM whose vCPU runs 32-bit code in flat segments, without paging, at 0x1000.
struct FlatVM: ~Copyable {
    var vm: VirtualMachine
    let vcpu: VCPU
    private let low: MemorySlot

    static let entry = GuestAddress(0x1000)
    /// A page that the guest's code doesn't reach.
    static let results = GuestAddress(0x8000)
    private static let lowSize = 0x10000

    init(_ code: GuestCode, on device: BenchDevice) throws(KVMError) {
        let system = try device.open()
        let low = try MemorySlot(slot: 0, base: GuestAddress(0), count: Self.lowSize)
        // All present: a fault of the host's on the way would be measured, too.
        low.fill(0)
        precondition(
            Self.entry.rawValue + UInt64(code.bytes.count) <= Self.results.rawValue,
            "a guest of \(code.bytes.count) bytes")
        _ = low.write(code.bytes, at: Self.entry)
        var vm = try system.makeVirtualMachine()
        try vm.add(low)
        let vcpu = try vm.makeVCPU()
        try vcpu.setCPUID(try system.supportedCPUID())
        var special = try vcpu.specialRegisters()
        StartState.setProtected32(&special)
        try vcpu.setSpecialRegisters(special)
        try vcpu.setRegisters(Self.registers { _ in })
        self.low = low
        self.vm = vm
        self.vcpu = vcpu
    }

    /// Puts the vCPU at the beginning of the code.
    func start(_ change: (inout kvm_regs) -> Void) throws(KVMError) {
        try vcpu.setRegisters(Self.registers(change))
    }

    private static func registers(_ change: (inout kvm_regs) -> Void) -> kvm_regs {
        var registers = kvm_regs()
        registers.rip = entry.rawValue
        registers.rflags = 2
        change(&registers)
        return registers
    }

    /// The 32-bit numbers that the guest left in its page of results.
    func results(_ count: Int) -> [UInt32] {
        let bytes = low.read(at: Self.results, count: count * 4) ?? []
        return stride(from: 0, to: bytes.count, by: 4).map { at in
            (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) }
        }
    }

    /// Runs to an exit, which must be the one that is measured.
    ///
    /// - Returns: its cost in ticks.
    func run(to expected: ExitKind) throws(KVMError) -> UInt64 {
        while true {
            let (result, ticks) = try vcpu.run()
            guard result == .exit else { continue }
            let exit = vcpu.runPage.exit
            guard expected.matches(exit) else {
                throw KVMError(runPage: "the guest was to leave for \(expected.rawValue), and left for \(exit)")
            }
            return ticks
        }
    }
}

/// Exits to user space that are measured.
enum ExitKind: String {
    case output
    case mmio
    case halt

    func matches(_ exit: Exit) -> Bool {
        switch (self, exit) {
        case (.output, .io(let io)): io.direction == .output && io.port == UInt16(GuestCode.donePort)
        case (.mmio, .mmio(let mmio)): mmio.address == GuestAddress(UInt64(GuestCode.noMemory))
        case (.halt, .hlt): true
        default: false
        }
    }
}
