// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// What a processor does of a local APIC's work with virtual-interrupt delivery: SDM vol. 3, 30.1 and 30.2. Its registers are in the virtual-APIC page,
/// RVI and SVI in the guest interrupt status.
public struct VirtualAPIC {
    /// Offsets in the virtual-APIC page.
    enum Register: UInt64 {
        case taskPriority = 0x80
        case processorPriority = 0xA0
        case inService = 0x100
        case requested = 0x200
        case selfIPI = 0x3F0
    }

    let vmcs: VMCS
    let memory: any PhysicalMemory

    /// nil where "virtual-interrupt delivery" is 0.
    public init?(_ vmcs: VMCS, _ memory: any PhysicalMemory) {
        guard vmcs.has(Proc2Control.virtualInterruptDelivery) else { return nil }
        self.vmcs = vmcs
        self.memory = memory
    }

    /// RVI: the highest of those requested, or 0.
    public private(set) var requested: UInt8 {
        get { UInt8(truncatingIfNeeded: vmcs[.guestInterruptStatus]) }
        nonmutating set { vmcs[.guestInterruptStatus] = vmcs[.guestInterruptStatus] & 0xFF00 | UInt64(newValue) }
    }

    /// SVI: the highest of those in service, or 0.
    public private(set) var inService: UInt8 {
        get { UInt8(truncatingIfNeeded: vmcs[.guestInterruptStatus] >> 8) }
        nonmutating set { vmcs[.guestInterruptStatus] = vmcs[.guestInterruptStatus] & 0xFF | UInt64(newValue) << 8 }
    }

    subscript(register: Register, bank: UInt64 = 0) -> UInt32 {
        get { UInt32(truncatingIfNeeded: memory.load(vmcs[.virtualApicAddr] + register.rawValue + 16 * bank)) }
        nonmutating set {
            let address = vmcs[.virtualApicAddr] + register.rawValue + 16 * bank
            memory.store(address, memory.load(address) & ~0xFFFF_FFFF | UInt64(newValue))
        }
    }

    private func set(_ register: Register, _ vector: UInt8) { self[register, UInt64(vector / 32)] |= 1 << UInt32(vector % 32) }

    private func clear(_ register: Register, _ vector: UInt8) { self[register, UInt64(vector / 32)] &= ~(1 << UInt32(vector % 32)) }

    /// The highest vector of a register of 256 bits, or 0.
    private func highest(_ register: Register) -> UInt8 {
        for bank in (0..<8 as Range<UInt64>).reversed() where self[register, bank] != 0 {
            return UInt8(bank * 32) + UInt8(31 - self[register, bank].leadingZeroBitCount)
        }
        return 0
    }

    /// PPR virtualization, which VM entry begins with, too. SDM vol. 3, 30.1.3.
    public func updatePriority() {
        let task = self[.taskPriority]
        self[.processorPriority] = task >> 4 & 15 >= UInt32(inService >> 4) ? task & 0xFF : UInt32(inService & 0xF0)
    }

    /// Whether a virtual interrupt is recognized. SDM vol. 3, 30.2.1: it is evaluated at VM entry, and wherever RVI or VPPR change but at delivery, after
    /// which it would not be. So it is a matter of what they are.
    public var isPending: Bool {
        !vmcs.has(ProcControl.interruptWindowExiting) && UInt32(requested >> 4) > self[.processorPriority] >> 4
    }

    /// The virtual interrupt that is delivered now. SDM vol. 3, 30.2.2.
    public func deliver() -> UInt8 {
        let vector = requested
        set(.inService, vector)
        inService = vector
        self[.processorPriority] = UInt32(vector & 0xF0)
        clear(.requested, vector)
        requested = highest(.requested)
        return vector
    }

    /// EOI virtualization: a vector whose end causes a VM exit. SDM vol. 3, 30.1.4.
    func endInterrupt() -> UInt8? {
        let vector = inService
        clear(.inService, vector)
        inService = highest(.inService)
        updatePriority()
        let bitmaps: [VMCSField] = [.eoiExitBitmap0, .eoiExitBitmap1, .eoiExitBitmap2, .eoiExitBitmap3]
        return vmcs[bitmaps[Int(vector / 64)]] >> UInt64(vector % 64) & 1 != 0 ? vector : nil
    }

    /// Self-IPI virtualization. SDM vol. 3, 30.1.5.
    func request(_ vector: UInt8) {
        set(.requested, vector)
        requested = max(requested, vector)
    }

    /// Posted-interrupt processing: what others have left in the descriptor is requested. SDM vol. 3, 30.6.
    public func takePosted() {
        let descriptor = vmcs[.postedInterruptDescAddr]
        // Bit 256: outstanding notification.
        memory.store(descriptor + 32, memory.load(descriptor + 32) & ~1)
        for word in 0..<4 as Range<UInt64> {
            let bits = memory.load(descriptor + 8 * word)
            memory.store(descriptor + 8 * word, 0)
            guard bits != 0 else { continue }
            self[.requested, 2 * word] |= UInt32(truncatingIfNeeded: bits)
            self[.requested, 2 * word + 1] |= UInt32(truncatingIfNeeded: bits >> 32)
            requested = max(requested, UInt8(word * 64) + UInt8(63 - bits.leadingZeroBitCount))
        }
    }
}

extension VMCS {
    /// Whether an external interrupt of this vector is the notification of posted ones, and not for the host.
    public func isNotification(_ vector: UInt8) -> Bool {
        has(PinControl.postedInterrupts) && UInt64(vector) == self[.postedInterruptVector]
    }
}
