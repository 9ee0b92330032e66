// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM

extension Guest {
    /// LiKeX's test guest: adds 2 and 2, prints the sum, asks CPUID and halts. 16-bit, at address 0.
    public static var likex: Guest {
        var guest = Guest(name: "likex")
        guest.about = "LiKeX's test guest: prints 2 + 2 and halts"
        guest.registers = [.rax: 2, .rbx: 2]
        guest.memory = [Memory(slot: 0, base: GuestAddress(0), size: 0x1000)]
        var expectation = Expectation(end: "hlt")
        expectation.output = "4\n"
        expectation.exits = ["io": 2, "hlt": 1]
        guest.expectation = expectation
        return guest
    }

    /// The program of `Guest.likex`.
    public static let likexImage: [UInt8] = [
        0xba, 0xf8, 0x03,  // mov $0x3f8, %dx
        0x00, 0xd8,  // add %bl, %al
        0x04, UInt8(ascii: "0"),  // add $'0', %al
        0xee,  // out %al, (%dx)
        0xb0, UInt8(ascii: "\n"),  // mov $'\n', %al
        0xee,  // out %al, (%dx)
        0x66, 0xb8, 0, 0, 0, 0,  // mov $0, %eax
        0x0f, 0xa2,  // cpuid
        0xf4,  // hlt
    ]
}
