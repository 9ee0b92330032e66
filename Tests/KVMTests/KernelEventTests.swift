// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Testing

@Suite("Lines of LiKeX's trace points")
struct KernelEventTests {
    static let lines: [(String, KernelEvent.What)] = [
        ("likex_entry: vcpu 2 rip 0x1000", .entry(rip: 0x1000)),
        (
            "likex_exit: vcpu 2 reason 0x1e qualification 0x3f80000 rip 0x7 interruption 0x0 vectoring 0x80000020",
            .exit(reason: 30, qualification: 0x3F8_0000, rip: 7, interruption: 0, vectoring: 0x8000_0020)
        ),
        ("likex_inject: vcpu 2 vector 14 info 0x80000b0e error 0x2", .inject(info: 0x8000_0B0E, error: 2)),
        (
            "likex_fault: vcpu 2 gpa 0x5000 qualification 0x182 spte 0x12345077",
            .fault(GuestAddress(0x5000), qualification: 0x182)
        ),
        (
            "likex_mmio: vcpu 2 write gpa 0x20000000 len 4 data 0x1234",
            .mmio(GuestAddress(0x2000_0000), count: 4, isWrite: true, data: 0x1234)
        ),
        ("likex_pio: vcpu 2 in port 0x60 size 1 count 3", .port(0x60, size: 1, count: 3, isInput: true)),
    ]

    @Test(arguments: lines) func events(_ text: String, _ what: KernelEvent.What) {
        let line = "           likex-812     [001] d..1. 5513310912: \(text)"
        #expect(KernelEvent(traceLine: line[...]) == KernelEvent(time: 5_513_310_912, vcpu: 2, what: what))
        // Cut short anywhere, a line is another one or none, and nothing breaks.
        for length in 0..<line.count { _ = KernelEvent(traceLine: line.prefix(length)) }
    }

    @Test(arguments: [
        "", "# tracer: nop", "x-1 [000] d..1. 12.345678: likex_entry: vcpu 0 rip 0x0",
        "x-1 [000] d..1. 5: kvm_entry: vcpu 0", "x-1 [000] d..1. 5: likex_new: vcpu 0 rip 0x0",
        "x-1 [000] d..1. 5: likex_entry: rip 0x0", "x-1 [000] d..1. 5: likex_entry: vcpu 0x100000000 rip 0x0",
        "x-1 [000] d..1. 5: likex_exit: vcpu 0 reason 0x1",
    ]) func others(_ line: String) { #expect(KernelEvent(traceLine: line[...]) == nil) }
}
