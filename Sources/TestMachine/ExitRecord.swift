// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// One exit of a run, as it is printed and compared.
public struct ExitRecord: Equatable, Sendable {
    public enum Payload: Equatable, Sendable {
        case none
        case io(PortIO, data: [UInt8])
        case mmio(MMIO, data: [UInt8])
        case msr(MSRAccess)
        case failEntry(hardwareReason: UInt64)
        case unknown(hardwareReason: UInt64)
        case internalError(suberror: UInt32)
        case exception(vector: UInt32, errorCode: UInt32)
    }

    /// `io`, `irq_window_open`: KVM's name without KVM_EXIT_.
    public let name: String
    public let payload: Payload
    /// What KVM_RUN cost, in ticks of the TSC.
    public let ticks: UInt64
    /// When that was, by this machine's TSC.
    public let time: TickSpan

    init(_ exit: Exit, data: [UInt8], ticks: UInt64, time: TickSpan = TickSpan(begin: 0, end: 0)) {
        name = exit.shortName
        self.ticks = ticks
        self.time = time
        payload =
            switch exit {
            case .io(let io): .io(io, data: data)
            case .mmio(let mmio): .mmio(mmio, data: data)
            case .readMSR(let access), .writeMSR(let access): .msr(access)
            case .failEntry(let reason, cpu: _): .failEntry(hardwareReason: reason)
            case .unknown(let reason): .unknown(hardwareReason: reason)
            // The data behind it is each device's own.
            case .internalError(let suberror, data: _): .internalError(suberror: suberror)
            case .exception(let vector, let errorCode): .exception(vector: vector, errorCode: errorCode)
            default: .none
            }
    }

    /// Whether another device's exit is the same, whatever it cost and wherever it keeps its data.
    public func isSame(as other: ExitRecord) -> Bool { name == other.name && description == other.description }
}

extension ExitRecord: CustomStringConvertible {
    /// `io out 0x3f8 1 byte: 34`
    public var description: String {
        switch payload {
        case .none: name
        case .io(let io, let data):
            "\(name) \(io.direction == .input ? "in" : "out") \(hex(io.port)) \(io.size) byte\(io.size == 1 ? "" : "s")"
                + (io.count == 1 ? "" : " x \(io.count)") + ": \(hexBytes(data))"
        case .mmio(let mmio, let data):
            "\(name) \(mmio.stored == nil ? "load" : "store") \(mmio.address) \(mmio.count) "
                + "byte\(mmio.count == 1 ? "" : "s"): \(hexBytes(data))"
        case .msr(let access):
            "\(name) \(hex(access.index))\(access.written.map { ": \(hex($0))" } ?? ""), \(access.reason)"
        case .failEntry(let reason): "\(name) hardware reason \(hex(reason))"
        case .unknown(let reason): "\(name) hardware reason \(hex(reason))"
        case .internalError(let suberror): "\(name) suberror \(suberror)"
        case .exception(let vector, let errorCode): "\(name) vector \(vector) error code \(hex(errorCode))"
        }
    }

    private func hexBytes(_ bytes: [UInt8]) -> String {
        let shown = bytes.prefix(32).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
        return bytes.count > 32 ? shown + " ... (\(bytes.count), digest \(hex(FNV1a.digest(bytes))))" : shown
    }
}
