// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVMABI

/// A vCPU's struct kvm_run, shared with the kernel, and what is mapped behind it.
public struct RunPage: ~Copyable {
    private let mapping: Mapping
    @unsafe private var run: UnsafeMutablePointer<kvm_run> {
        unsafe mapping.base.assumingMemoryBound(to: kvm_run.self)
    }

    init(_ file: borrowing DeviceFile, size: Int) throws(KVMError) {
        guard size >= MemoryLayout<kvm_run>.size else {
            throw KVMError(
                operation: Ioctl.getVcpuMmapSize.name, errno: .invalidArgument,
                meaning: "the device offers a run page of \(size) bytes, which is less than struct kvm_run has")
        }
        mapping = try Mapping(file, count: size, about: "the run page of a vCPU")
    }

    @unsafe var immediateExitFlag: UnsafeMutablePointer<UInt8> {
        unsafe mapping.base.assumingMemoryBound(to: UInt8.self)
            + (MemoryLayout<kvm_run>.offset(of: \.immediate_exit) ?? 0)
    }

    /// Makes the next KVM_RUN finish what is pending and come back with EINTR.
    public func setImmediateExit(_ on: Bool) { unsafe run.pointee.immediate_exit = on ? 1 : 0 }
    public var immediateExit: Bool { unsafe run.pointee.immediate_exit != 0 }

    /// Makes KVM_RUN come back as soon as the guest can take an interrupt.
    public func setRequestInterruptWindow(_ on: Bool) { unsafe run.pointee.request_interrupt_window = on ? 1 : 0 }

    /// What the guest's CR8 is from the next KVM_RUN on.
    func setCR8(_ value: UInt64) { unsafe run.pointee.cr8 = value }

    /// Whether KVM_INTERRUPT may be called now.
    public var isReadyForInterrupt: Bool { unsafe run.pointee.ready_for_interrupt_injection != 0 }
    /// The guest's RFLAGS.IF.
    public var interruptFlag: Bool { unsafe run.pointee.if_flag != 0 }

    /// Why the last KVM_RUN came back.
    public var exit: Exit {
        let number = unsafe run.pointee.exit_reason
        switch KVMExit(number: number) {
        case .io:
            let io = unsafe run.pointee.io
            return .io(
                PortIO(
                    direction: Int32(io.direction) == KVM_EXIT_IO_IN ? .input : .output, port: io.port,
                    size: Int(io.size), count: Int(io.count), offset: io.data_offset))
        case .mmio:
            let mmio = unsafe run.pointee.mmio
            let count = min(Int(mmio.len), 8)
            let data = unsafe withUnsafeBytes(of: mmio.data) { unsafe [UInt8]($0.prefix(count)) }
            return .mmio(
                MMIO(
                    address: GuestAddress(mmio.phys_addr), count: count, stored: mmio.is_write != 0 ? data : nil))
        case .x86Rdmsr: return .readMSR(msr(isWrite: false))
        case .x86Wrmsr: return .writeMSR(msr(isWrite: true))
        case .hlt: return .hlt
        case .irqWindowOpen: return .irqWindowOpen
        case .shutdown: return .shutdown
        case .setTpr: return .setTPR
        case .intr: return .intr
        case .exception:
            let exception = unsafe run.pointee.ex
            return .exception(vector: exception.exception, errorCode: exception.error_code)
        case .failEntry:
            let failure = unsafe run.pointee.fail_entry
            return .failEntry(hardwareReason: failure.hardware_entry_failure_reason, cpu: failure.cpu)
        case .unknown: return .unknown(hardwareReason: unsafe run.pointee.hw.hardware_exit_reason)
        case .internalError:
            let error = unsafe run.pointee.internal
            let count = min(Int(error.ndata), 16)
            let data = unsafe withUnsafeBytes(of: error.data) {
                unsafe [UInt64]($0.bindMemory(to: UInt64.self).prefix(count))
            }
            return .internalError(suberror: error.suberror, data: data)
        case .ioapicEoi: return .endOfInterrupt(vector: unsafe run.pointee.eoi.vector)
        default: return .other(number)
        }
    }

    /// The bytes that a guest put out, item after item.
    public func output(_ io: PortIO) throws(KVMError) -> [UInt8] {
        let start = unsafe try data(io)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: io.byteCount))
    }

    /// Gives a guest the bytes that it asked a port for; there must be `io.byteCount` of them.
    public func answer(_ io: PortIO, _ bytes: [UInt8]) throws(KVMError) {
        precondition(bytes.count == io.byteCount, "an answer to \(io.byteCount) bytes of input has \(bytes.count)")
        let start = unsafe try data(io)
        unsafe bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: start, count: source.count).copyMemory(from: source)
        }
    }

    /// Gives a guest the bytes that it loads; there must be `mmio.count` of them.
    public func answer(_ mmio: MMIO, _ bytes: [UInt8]) {
        precondition(bytes.count == mmio.count, "an answer to a load of \(mmio.count) bytes has \(bytes.count)")
        unsafe withUnsafeMutableBytes(of: &run.pointee.mmio.data) { destination in
            for (index, byte) in bytes.enumerated() { unsafe destination[index] = byte }
        }
    }

    private func msr(isWrite: Bool) -> MSRAccess {
        let msr = unsafe run.pointee.msr
        let reason: MSRAccess.Reason =
            switch Int(msr.reason) {
            case Int(KVM_MSR_EXIT_REASON_UNKNOWN): .unknown
            case Int(KVM_MSR_EXIT_REASON_INVAL): .invalid
            case Int(KVM_MSR_EXIT_REASON_FILTER): .filter
            default: .other(msr.reason)
            }
        return MSRAccess(index: msr.index, reason: reason, written: isWrite ? msr.data : nil)
    }

    /// Lets a guest's access to an MSR succeed; a read gives it `value`.
    public func answerMSR(_ value: UInt64 = 0) {
        unsafe run.pointee.msr.error = 0
        unsafe run.pointee.msr.data = value
    }

    /// Gives a guest #GP for its access to an MSR.
    public func refuseMSR() { unsafe run.pointee.msr.error = 1 }

    /// Where the bytes of port I/O are, checked to be in the mapping.
    @unsafe private func data(_ io: PortIO) throws(KVMError) -> UnsafeMutableRawPointer {
        let end = io.offset.addingReportingOverflow(UInt64(io.byteCount))
        guard !end.overflow, end.partialValue <= UInt64(mapping.count), io.offset > 0 else {
            throw KVMError(
                runPage: "\(io.byteCount) bytes of port I/O at offset \(io.offset), the mapping has \(mapping.count)")
        }
        return unsafe mapping.base + Int(io.offset)
    }
}
