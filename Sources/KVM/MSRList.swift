// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVMABI

/// MSRs by index, as lists that KVM takes and gives.
public enum MSRList {
    public struct Entry: Equatable, Sendable {
        public let index: UInt32
        public let value: UInt64

        public init(index: UInt32, value: UInt64) {
            self.index = index
            self.value = value
        }
    }

    static func indices(_ file: borrowing DeviceFile) throws(KVMError) -> [UInt32] {
        var room = 256
        while true {
            var bytes = FlexibleArray.bytes(
                header: MemoryLayout<kvm_msr_list>.size, list: [UInt32](repeating: 0, count: room))
            do throws(KVMError) {
                try file.call(.getMsrIndexList, bytes: &bytes)
                let count = min(Int(FlexibleArray.count(bytes)), room)
                return FlexibleArray.list(bytes, header: MemoryLayout<kvm_msr_list>.size, count: count)
            } catch  where error.errno == .listTooBig && room < 4096 {
                // The kernel wrote how many there are.
                room = max(room * 2, Int(FlexibleArray.count(bytes)))
            }
        }
    }

    static func get(_ indices: [UInt32], _ file: borrowing DeviceFile) throws(KVMError) -> [Entry] {
        let asked = indices.map { kvm_msr_entry(index: $0, reserved: 0, data: 0) }
        var bytes = FlexibleArray.bytes(header: MemoryLayout<kvm_msrs>.size, list: asked)
        let count = min(try file.call(.getMsrs, bytes: &bytes), indices.count)
        let found: [kvm_msr_entry] = FlexibleArray.list(bytes, header: MemoryLayout<kvm_msrs>.size, count: count)
        return found.map { Entry(index: $0.index, value: $0.data) }
    }

    static func set(_ entries: [Entry], _ file: borrowing DeviceFile) throws(KVMError) -> Int {
        let list = entries.map { kvm_msr_entry(index: $0.index, reserved: 0, data: $0.value) }
        var bytes = FlexibleArray.bytes(header: MemoryLayout<kvm_msrs>.size, list: list)
        return try file.call(.setMsrs, bytes: &bytes)
    }
}
