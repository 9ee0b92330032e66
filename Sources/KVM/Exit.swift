// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// Why KVM_RUN came back, with what came along.
public enum Exit: Equatable, Sendable {
    /// Port input or output. KVM_EXIT_IO
    case io(PortIO)
    /// A load or store where there is no memory. KVM_EXIT_MMIO
    case mmio(MMIO)
    /// A read of an MSR that the device left to user space. KVM_EXIT_X86_RDMSR
    case readMSR(MSRAccess)
    /// KVM_EXIT_X86_WRMSR
    case writeMSR(MSRAccess)
    case hlt
    case irqWindowOpen
    case shutdown
    case setTPR
    /// The guest may have been interrupted. KVM_EXIT_INTR
    case intr
    /// An exception that the device was told to hand over. KVM_EXIT_EXCEPTION
    case exception(vector: UInt32, errorCode: UInt32)
    /// The processor refused to enter the guest. KVM_EXIT_FAIL_ENTRY
    case failEntry(hardwareReason: UInt64, cpu: UInt32)
    /// The processor left the guest for a reason that the device doesn't handle. KVM_EXIT_UNKNOWN
    case unknown(hardwareReason: UInt64)
    /// The device gave up. KVM_EXIT_INTERNAL_ERROR
    case internalError(suberror: UInt32, data: [UInt64])
    /// A vCPU has ended an interrupt that a level of the I/O APIC in user space made. KVM_EXIT_IOAPIC_EOI
    case endOfInterrupt(vector: UInt8)
    /// Any other reason, by its number.
    case other(UInt32)

    /// `KVM_EXIT_IO`
    public var name: String {
        switch self {
        case .io: KVMExit.io.name
        case .mmio: KVMExit.mmio.name
        case .readMSR: KVMExit.x86Rdmsr.name
        case .writeMSR: KVMExit.x86Wrmsr.name
        case .hlt: KVMExit.hlt.name
        case .irqWindowOpen: KVMExit.irqWindowOpen.name
        case .shutdown: KVMExit.shutdown.name
        case .setTPR: KVMExit.setTpr.name
        case .intr: KVMExit.intr.name
        case .exception: KVMExit.exception.name
        case .failEntry: KVMExit.failEntry.name
        case .unknown: KVMExit.unknown.name
        case .internalError: KVMExit.internalError.name
        case .endOfInterrupt: KVMExit.ioapicEoi.name
        case .other(let number): KVMExit(number: number)?.name ?? "KVM_EXIT \(number)"
        }
    }
}

/// What a guest did to an I/O port.
public struct PortIO: Equatable, Sendable {
    public enum Direction: Sendable {
        case input
        case output
    }

    public let direction: Direction
    public let port: UInt16
    /// Bytes of one item: 1, 2 or 4.
    public let size: Int
    /// Items, more than one for string instructions with REP.
    public let count: Int
    /// Where the bytes are, from the beginning of the run page.
    let offset: UInt64

    public var byteCount: Int { size * count }
}

/// What a guest did to an address without memory.
public struct MMIO: Equatable, Sendable {
    public let address: GuestAddress
    /// Bytes: 1 to 8.
    public let count: Int
    /// What is stored; nil for a load, which `RunPage.answer` gives its value.
    public let stored: [UInt8]?

    public init(address: GuestAddress, count: Int, stored: [UInt8]?) {
        self.address = address
        self.count = count
        self.stored = stored
    }
}

/// What a guest did to a model-specific register, and why that is user space's to answer.
public struct MSRAccess: Equatable, Sendable {
    /// KVM_MSR_EXIT_REASON_*
    public enum Reason: Equatable, Sendable {
        /// The device doesn't know that MSR.
        case unknown
        /// The MSR is there, but not so: a value it doesn't take, or not for this guest.
        case invalid
        /// The VM's filter denies it.
        case filter
        case other(UInt32)
    }

    public let index: UInt32
    public let reason: Reason
    /// What is written; nil for a read.
    public let written: UInt64?

    public init(index: UInt32, reason: Reason, written: UInt64?) {
        self.index = index
        self.reason = reason
        self.written = written
    }
}
