// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXCases

@testable import VMXSim

/// SDM vol. 3, chapter 30: virtual-interrupt delivery, MSR-based accesses, posted interrupts.
@Suite struct VirtualAPICTests {
    private static let page: UInt64 = 0x3000
    private static let descriptor: UInt64 = 0x5040
    private let memory = TestMemory()
    private let vmcs = VMCS()

    init() {
        vmcs[.procControls] = ProcControl.secondaryControls.mask | ProcControl.tprShadow.mask
        vmcs[.proc2Controls] =
            Proc2Control.virtualizeX2apic.mask | Proc2Control.apicRegisterVirtualization.mask
            | Proc2Control.virtualInterruptDelivery.mask
        vmcs[.virtualApicAddr] = Self.page
        vmcs[.postedInterruptDescAddr] = Self.descriptor
    }

    private func apic() throws -> VirtualAPIC { try #require(VirtualAPIC(vmcs, memory)) }

    /// The vectors of ISR (at 0x100) or IRR (0x200).
    private func vectors(_ register: UInt64) -> [Int] {
        (0..<256).filter { (memory.words[Self.page + register + UInt64($0 / 32) * 16] ?? 0) >> UInt64($0 % 32) & 1 != 0 }
    }

    private func request(_ vectors: UInt64...) {
        for vector in vectors { memory.words[Self.page + 0x200 + vector / 32 * 16, default: 0] |= 1 << (vector % 32) }
    }

    @Test func whereItIsNot() {
        vmcs[.proc2Controls] &= ~Proc2Control.virtualInterruptDelivery.mask
        #expect(VirtualAPIC(vmcs, memory) == nil)
        vmcs[.proc2Controls] |= Proc2Control.virtualInterruptDelivery.mask
        vmcs[.procControls] = ProcControl.tprShadow.mask
        #expect(VirtualAPIC(vmcs, memory) == nil)
    }

    /// TPR, SVI, PPR.
    @Test(arguments: [
        (0x00, 0x00, 0x00), (0x25, 0x00, 0x25), (0x25, 0x31, 0x30), (0x35, 0x31, 0x35), (0x35, 0x41, 0x40), (0x3FF, 0x41, 0xFF),
    ] as [(UInt64, UInt64, UInt64)])
    func processorPriority(_ task: UInt64, _ service: UInt64, _ expected: UInt64) throws {
        memory.words[Self.page + 0x80] = task
        vmcs[.guestInterruptStatus] = service << 8
        try apic().updatePriority()
        #expect(memory.words[Self.page + 0xA0] == expected)
    }

    @Test func anInterruptIsDeliveredAndEnds() throws {
        let apic = try apic()
        request(0x31, 0x35, 0x71)
        vmcs[.guestInterruptStatus] = 0x0071
        apic.updatePriority()
        #expect(apic.isPending && apic.deliver() == 0x71)
        #expect(vmcs[.guestInterruptStatus] == 0x7135 && vectors(0x100) == [0x71] && vectors(0x200) == [0x31, 0x35])
        #expect(memory.words[Self.page + 0xA0] == 0x70 && !apic.isPending)
        #expect(vmcs.writeAPIC(msr: 0x80B, 0, memory) == .done)
        #expect(vmcs[.guestInterruptStatus] == 0x0035 && vectors(0x100).isEmpty && memory.words[Self.page + 0xA0] == 0 && apic.isPending)
        #expect(apic.deliver() == 0x35 && vmcs[.guestInterruptStatus] == 0x3531 && !apic.isPending)
        // One of the same class waits for the end; not so one of a higher.
        #expect(vmcs.writeAPIC(msr: 0x83F, 0x52, memory) == .done && apic.isPending)
        #expect(apic.deliver() == 0x52 && vmcs[.guestInterruptStatus] == 0x5231)
        #expect(vmcs.writeAPIC(msr: 0x80B, 0, memory) == .done && vmcs[.guestInterruptStatus] == 0x3531 && !apic.isPending)
        #expect(vmcs.writeAPIC(msr: 0x80B, 0, memory) == .done && apic.isPending && apic.deliver() == 0x31)
        #expect(vmcs[.guestInterruptStatus] == 0x3100 && vectors(0x200).isEmpty)
    }

    @Test func itIsNotRecognized() throws {
        let apic = try apic()
        vmcs[.guestInterruptStatus] = 0x0045
        #expect(apic.isPending)
        memory.words[Self.page + 0xA0] = 0x4F
        #expect(!apic.isPending)
        memory.words[Self.page + 0xA0] = 0x3F
        #expect(apic.isPending)
        vmcs[.procControls] |= ProcControl.interruptWindowExiting.mask
        #expect(!apic.isPending)
    }

    @Test func endsThatExit() throws {
        vmcs[.eoiExitBitmap1] = 1 << 33
        vmcs[.eoiExitBitmap3] = 4
        for vector in [0x61, 0xC2] as [UInt64] {
            memory.words[Self.page + 0x100 + vector / 32 * 16] = 1 << (vector % 32)
            vmcs[.guestInterruptStatus] = vector << 8
            #expect(vmcs.writeAPIC(msr: 0x80B, 0, memory) == .exit(.virtualizedEoi, qualification: vector))
            #expect(vmcs[.guestInterruptStatus] == 0 && vectors(0x100).isEmpty)
        }
    }

    @Test func writes() throws {
        #expect(vmcs.writeAPIC(msr: 0x808, 0x100, memory) == .generalProtection)
        #expect(vmcs.writeAPIC(msr: 0x80B, 1, memory) == .generalProtection)
        #expect(vmcs.writeAPIC(msr: 0x83F, 0x100, memory) == .generalProtection)
        #expect(memory.stores.isEmpty)
        vmcs[.guestInterruptStatus] = 0x0045
        #expect(vmcs.writeAPIC(msr: 0x808, 0x40, memory) == .done)
        #expect(memory.words[Self.page + 0x80] == 0x40 && memory.words[Self.page + 0xA0] == 0x40)
        #expect(try !apic().isPending && vmcs.writeTaskPriority(3, memory) == false && apic().isPending)
        #expect(vmcs.writeAPIC(msr: 0x83F, 15, memory) == .exit(.apicWrite, qualification: 0x3F0))
        #expect(memory.words[Self.page + 0x3F0] == 15 && vmcs[.guestInterruptStatus] == 0x45)
        for other in [0x800, 0x830, 0x8FF, 0x10] as [UInt32] { #expect(vmcs.writeAPIC(msr: other, 0, memory) == .ordinary) }
        vmcs[.proc2Controls] &= ~Proc2Control.virtualInterruptDelivery.mask
        vmcs[.tprThreshold] = 2
        #expect(vmcs.writeAPIC(msr: 0x80B, 0, memory) == .ordinary && vmcs.writeAPIC(msr: 0x83F, 0x50, memory) == .ordinary)
        #expect(vmcs.writeAPIC(msr: 0x808, 0x1F, memory) == .exit(.tprBelowThreshold, qualification: 0))
        vmcs[.proc2Controls] = 0
        #expect(vmcs.writeAPIC(msr: 0x808, 0x1F, memory) == .ordinary)
    }

    @Test func reads() {
        memory.words[Self.page + 0x80] = 0x20
        memory.words[Self.page + 0x300] = 0x1_0000_4031
        #expect(vmcs.readAPIC(msr: 0x808, memory) == 0x20 && vmcs.readAPIC(msr: 0x830, memory) == 0x1_0000_4031)
        #expect(vmcs.readAPIC(msr: 0x8FF, memory) == 0 && vmcs.readAPIC(msr: 0x900, memory) == nil && vmcs.readAPIC(msr: 0x7FF, memory) == nil)
        vmcs[.proc2Controls] &= ~Proc2Control.apicRegisterVirtualization.mask
        #expect(vmcs.readAPIC(msr: 0x808, memory) == 0x20 && vmcs.readAPIC(msr: 0x830, memory) == nil)
        vmcs[.proc2Controls] = 0
        #expect(vmcs.readAPIC(msr: 0x808, memory) == nil)
    }

    @Test func postedInterrupts() throws {
        let apic = try apic()
        request(0x40)
        vmcs[.guestInterruptStatus] = 0x0040
        memory.words[Self.descriptor] = 1 << 0x33
        memory.words[Self.descriptor + 16] = 1 << 7 | 1 << 40
        memory.words[Self.descriptor + 32] = 0xFF00_0000_00F2_0001
        apic.takePosted()
        #expect(vectors(0x200) == [0x33, 0x40, 0x87, 0xA8] && vmcs[.guestInterruptStatus] == 0xA8)
        #expect((0..<4).allSatisfy { memory.words[Self.descriptor + 8 * $0] == 0 })
        #expect(memory.words[Self.descriptor + 32] == 0xFF00_0000_00F2_0000)
        // None, or a lower one, leave RVI alone.
        apic.takePosted()
        memory.words[Self.descriptor] = 1 << 0x21
        apic.takePosted()
        #expect(vectors(0x200) == [0x21, 0x33, 0x40, 0x87, 0xA8] && vmcs[.guestInterruptStatus] == 0xA8)
    }

    /// VM entry finds PPR.
    @Test func entry() throws {
        let processor = Fixture.processor(memory: memory)
        let vmcs = try #require(processor.current)
        vmcs[.procControls] |= ProcControl.tprShadow.mask
        vmcs[.proc2Controls] |= Proc2Control.virtualInterruptDelivery.mask
        vmcs[.virtualApicAddr] = Self.page
        vmcs[.guestInterruptStatus] = 0x3100
        memory.words[Self.page + 0xA0] = 0xFF
        var msrs = TestMSRs()
        guard case .entered = processor.enter(launch: true, msrs: &msrs) else {
            Issue.record("\(processor.refusals)")
            return
        }
        #expect(memory.words[Self.page + 0xA0] == 0x30)
    }
}
