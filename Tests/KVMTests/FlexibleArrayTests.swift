// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import Testing

@testable import KVM

@Suite("Lists behind a header are laid out as C has them")
struct FlexibleArrayTests {
    @Test func bytes() {
        let bytes = FlexibleArray.bytes(header: 8, list: [UInt16(0x1122), 0x3344])
        #expect(bytes == [2, 0, 0, 0, 0, 0, 0, 0, 0x22, 0x11, 0x44, 0x33])
        #expect(FlexibleArray.count(bytes) == 2)
        #expect(FlexibleArray.list(bytes, header: 8, count: 2) as [UInt16] == [0x1122, 0x3344])
    }

    @Test("the header of a list of MSRs is 4 bytes, of the others 8")
    func headers() {
        #expect(MemoryLayout<kvm_msr_list>.size == 4)
        #expect(MemoryLayout<kvm_msrs>.size == 8)
        #expect(MemoryLayout<kvm_cpuid2>.size == 8)
    }

    @Test func empty() {
        let bytes = FlexibleArray.bytes(header: 4, list: [UInt32]())
        #expect(bytes == [0, 0, 0, 0])
    }
}
