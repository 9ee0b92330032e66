// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import KVMABI
import Synchronization
import Testing

@testable import Simulator

/// Interrupts that others send while a guest runs, at each of its instructions in turn: on a processor that delivers them, and on one that doesn't.
@Suite struct PostedInterruptTests {
    /// How a second interrupt comes.
    enum Second: Sendable, CaseIterable {
        /// With the first, of a lower class.
        case together
        case someInstructionsLater
        /// Not at all, but the guest is wanted outside: it leaves with the first one's notification not taken.
        case isWanted
        /// When all is settled for the next entry, if there is one.
        case beforeAnEntry
    }

    private static let rounds: UInt8 = 2
    private static let counts = 0x800

    private static func wrmsr(_ index: UInt32, _ value: UInt32) -> [UInt8] {
        // mov $index, %ecx; mov $value, %eax; xor %edx, %edx; wrmsr
        [0x66, 0xB9] + bytes(index) + [0x66, 0xB8] + bytes(value) + [0x66, 0x31, 0xD2, 0x0F, 0x30]
    }

    private static func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) } }

    /// In real mode: time and again a priority that holds the first interrupt back, interrupts off, an exit, an IPI to itself. Each vector's handler
    /// counts at 0x700 + vector.
    private static func memory() -> [UInt8] {
        var memory = [UInt8](repeating: 0x90, count: 0x3000)
        for vector in [0x41, 0x51, 0x61] {
            let handler = 0x2000 + vector * 16
            memory.replaceSubrange(vector * 4..<vector * 4 + 4, with: [UInt8(handler & 0xFF), UInt8(handler >> 8), 0, 0])
            // incb counter; jmp to the end that all have
            let rest = 0x2800 - (handler + 7)
            memory.replaceSubrange(
                handler..<handler + 7, with: [0xFE, 0x06, UInt8(vector), 0x07, 0xE9, UInt8(rest & 0xFF), UInt8(rest >> 8)])
            memory[0x700 + vector] = 0
        }
        // pushal; EOI; popal; iret
        let end = [0x66, 0x60] + wrmsr(0x80B, 0) + [0x66, 0x61, 0xCF]
        memory.replaceSubrange(0x2800..<0x2800 + end.count, with: end)
        // sti; mov $rounds, %bp
        var code = wrmsr(0x80F, 0x1FF) + [0xFB, 0xBD, rounds, 0]
        let loop = code.count
        code += wrmsr(0x808, 0x50) + [0x90, 0x90] + wrmsr(0x808, 0)
        // cli; nop; nop; cpuid; sti
        code += [0xFA, 0x90, 0x90, 0x0F, 0xA2, 0xFB] + wrmsr(0x83F, 0x51)
        // dec %bp; jnz loop, which is more than 128 bytes away no more
        code += [0x4D, 0x75, UInt8(truncatingIfNeeded: loop - (code.count + 3))]
        memory.replaceSubrange(0x1000..<0x1000 + code.count, with: code)
        // Behind some NOPs: out %al, $0x10
        memory.replaceSubrange(0x1100..<0x1102, with: [0xE6, 0x10])
        return memory
    }

    private struct Result {
        var counts: [UInt8]
        var ticks: UInt64
        var exits, interruptExits: UInt64
        /// The second one was sent.
        var isComplete: Bool
    }

    /// A run with the first interrupt after so many instructions; nil: with none.
    private func run(posts: Bool, _ second: Second?, after ticks: UInt64) throws -> Result {
        let device = try RawDevice(postsInterrupts: posts, localAPICs: true)
        let contents = device.allocate(0x3000, Self.memory())
        // The stack's page is not there before an interrupt needs it.
        let stack = device.allocate(0x1000)
        #expect(device.region(0, 0, 0x3000, contents) == .success(0) && device.region(1, 0x5000, 0x1000, stack) == .success(0))
        try device.start(at: 0x1000)
        var special = kvm_sregs()
        _ = try device.call(device.vcpu, .getSregs, &special).get()
        special.apic_base = 0xFEE0_0D00
        _ = try device.call(device.vcpu, .setSregs, &special).get()
        var registers = kvm_regs()
        _ = try device.call(device.vcpu, .getRegs, &registers).get()
        registers.rsp = 0x6000
        _ = try device.call(device.vcpu, .setRegs, &registers).get()

        let machine = device.kernel.machine
        let vm = try #require(device.kernel.vms.first)
        let send = { (vector: UInt8) in vm.interrupt(vector) }
        let begin = machine.bus.ticks
        if let second {
            machine.meanwhile = [(begin + ticks, { send(0x61) })]
            switch second {
            case .together: machine.meanwhile.append((begin + ticks, { send(0x41) }))
            case .someInstructionsLater: machine.meanwhile.append((begin + ticks + 7, { send(0x41) }))
            case .isWanted: machine.meanwhile.append((begin + ticks, { machine.kicked.store(true, ordering: .releasing) }))
            case .beforeAnEntry: machine.meanwhile.append((begin + ticks, { machine.beforeEntry = { send(0x41) } }))
            }
        }
        #expect(device.run() == .success(0) && device.exitReason == KVMExit.io.number)
        #expect(device.kernel.warnings == [])
        var state = kvm_lapic_state()
        _ = try device.call(device.vcpu, .getLapic, &state).get()
        // ISR, and IRR.
        unsafe withUnsafeBytes(of: &state) { state in
            for bank in 0..<8 { #expect(unsafe state.load(fromByteOffset: 0x100 + bank * 16, as: UInt32.self) == 0) }
            for bank in 0..<8 { #expect(unsafe state.load(fromByteOffset: 0x200 + bank * 16, as: UInt32.self) == 0) }
        }
        let memory = unsafe UnsafePointer<UInt8>(bitPattern: UInt(contents))
        return Result(
            counts: [0x41, 0x51, 0x61].map { unsafe memory?[0x700 + $0] ?? 0xFF }, ticks: machine.bus.ticks - begin,
            exits: vm.exits.all, interruptExits: vm.exits.interrupts, isComplete: machine.beforeEntry == nil)
    }

    @Test(arguments: [false, true], Second.allCases) func eachComesOnce(posts: Bool, second: Second) throws {
        let alone = try run(posts: posts, nil, after: 0)
        #expect(alone.counts == [0, Self.rounds, 0] && alone.interruptExits == 0)
        // The last of NOPs are for the handlers of what comes in the end.
        for ticks in stride(from: 4, to: alone.ticks - 40, by: posts ? 1 : 3) {
            let result = try run(posts: posts, second, after: ticks)
            let others: UInt8 = second != .isWanted && result.isComplete ? 1 : 0
            #expect(result.counts == [others, Self.rounds, 1], "after \(ticks)")
            if posts, second == .together || second == .someInstructionsLater {
                #expect(result.interruptExits == 0 && result.exits <= alone.exits + 1, "after \(ticks)")
            }
        }
    }

    /// A round's two priorities, its IPI to itself and that one's end don't.
    @Test func whatDoesNotExit() throws {
        let with = try run(posts: true, nil, after: 0).exits, without = try run(posts: false, nil, after: 0).exits
        #expect(without == with + 4 * UInt64(Self.rounds))
    }
}
