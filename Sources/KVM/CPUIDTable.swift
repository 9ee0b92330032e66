// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import CKVMABI
import KVMABI

/// What CPUID answers, leaf by leaf.
public struct CPUIDTable: Sendable {
    public typealias Entry = kvm_cpuid_entry2

    public var entries: [Entry]

    public init(entries: [Entry]) { self.entries = entries }

    /// The entry of a leaf and, where the leaf has them, a subleaf.
    public subscript(function: UInt32, index: UInt32) -> Entry? {
        entries.first { $0.function == function && (!$0.hasIndex || $0.index == index) }
    }

    init(supportedBy file: borrowing DeviceFile) throws(KVMError) {
        // The kernel says E2BIG until there is room; no device has a thousand entries.
        var room = 128
        while true {
            do throws(KVMError) {
                self = try Self(.getSupportedCpuid, file, room: room)
                return
            } catch  where error.errno == .listTooBig && room < 1024 {
                room *= 2
            }
        }
    }

    init(of file: borrowing DeviceFile) throws(KVMError) { self = try Self(.getCpuid2, file, room: 256) }

    private init(_ ioctl: Ioctl, _ file: borrowing DeviceFile, room: Int) throws(KVMError) {
        var bytes = FlexibleArray.bytes(
            header: MemoryLayout<kvm_cpuid2>.size, list: [Entry](repeating: Entry(), count: room))
        try file.call(ioctl, bytes: &bytes)
        let count = min(Int(FlexibleArray.count(bytes)), room)
        entries = FlexibleArray.list(bytes, header: MemoryLayout<kvm_cpuid2>.size, count: count)
    }

    func set(_ file: borrowing DeviceFile) throws(KVMError) {
        var bytes = bytes
        try file.call(.setCpuid2, bytes: &bytes)
    }

    /// As struct kvm_cpuid2.
    var bytes: [UInt8] { FlexibleArray.bytes(header: MemoryLayout<kvm_cpuid2>.size, list: entries) }
}

extension kvm_cpuid_entry2 {
    /// Whether ECX chooses among entries of the leaf.
    public var hasIndex: Bool { flags & UInt32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0 }
}
