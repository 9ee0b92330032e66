// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// The machine code of guests to measure with: 32-bit code without paging, in flat segments. Each runs for ever.
struct GuestCode: Equatable, Sendable {
    let bytes: [UInt8]

    /// The port that a guest tells with that it is done with a round.
    static let donePort: UInt8 = 0x10
    /// Where no slot is.
    static let noMemory: UInt32 = 0xE000_0000

    private static let out: [UInt8] = [0xE6, donePort]  // out %al, $0x10
    private static let rdtsc: [UInt8] = [0x0F, 0x31]

    /// One instruction again and again.
    private static func forever(_ instruction: [UInt8], after start: [UInt8] = []) -> GuestCode {
        // jmp rel8, counted from the end of the jump.
        GuestCode(bytes: start + instruction + [0xEB, UInt8(truncatingIfNeeded: -(instruction.count + 2))])
    }

    /// Output to a port.
    static let output = forever(out)
    /// A store where there is no memory: mov %al, (%esi).
    static let storeToNothing = forever(
        [0x88, 0x06], after: [0xBE] + (0..<4).map { UInt8(truncatingIfNeeded: noMemory >> (8 * $0)) })
    /// Waits for an interrupt that nobody sends.
    static let halt = forever([0xF4])

    /// What a guest does between two looks at the TSC.
    struct Operation: Equatable, Sendable {
        /// What must be in the registers before the first.
        let before: [UInt8]
        let code: [UInt8]

        /// CPUID, leaf 0.
        static let cpuid = Operation(before: [], code: [0x31, 0xC0, 0x0F, 0xA2])  // xor %eax, %eax; cpuid
        /// A hypercall that nobody knows.
        static let vmcall = Operation(before: [], code: [0x0F, 0x01, 0xC1])
        /// mov $0x277, %ecx: IA32_PAT, which a processor would read without an exit only if the device let it.
        private static let pat: [UInt8] = [0xB9, 0x77, 0x02, 0x00, 0x00]
        static let rdmsr = Operation(before: pat, code: [0x0F, 0x32])
        /// Writes to IA32_PAT what is in it.
        static let wrmsr = Operation(before: pat + [0x0F, 0x32], code: [0x0F, 0x30])
    }

    /// Does something `count` times; at the output to a port, EAX has the ticks that all together took.
    static func timed(_ operation: Operation, count: Int) -> GuestCode {
        var bytes = rdtsc
        bytes += [0x89, 0xC6]  // mov %eax, %esi
        // Before, but in the measure: EDX:EAX must be the MSR's for WRMSR. An empty round has it, too.
        bytes += operation.before
        for _ in 0..<count { bytes += operation.code }
        bytes += rdtsc
        bytes += [0x29, 0xF0]  // sub %esi, %eax
        bytes += out
        let back = Int32(-(bytes.count + 5))
        bytes += [0xE9] + (0..<4).map { UInt8(truncatingIfNeeded: back >> (8 * $0)) }  // jmp rel32
        return GuestCode(bytes: bytes)
    }

    /// How a guest touches a page.
    enum Access: Sendable {
        case store
        case load
    }

    /// Touches a byte at ESI, ECX times, EBP bytes apart, and stores the ticks of each, 32 bits wide, from EDI on; then an output to a port.
    static func touch(_ access: Access) -> GuestCode {
        GuestCode(
            bytes: rdtsc + [
                0x89, 0xC3,  // mov %eax, %ebx
                access == .store ? 0x88 : 0x8A, 0x06,  // mov %al, (%esi), or mov (%esi), %al
            ] + rdtsc + [
                0x29, 0xD8,  // sub %ebx, %eax
                0xAB,  // stos %eax, (%edi)
                0x01, 0xEE,  // add %ebp, %esi
                0x49,  // dec %ecx
                0x75, 0xF0,  // jnz to the first rdtsc
            ] + out + [0xF4])
    }
}
