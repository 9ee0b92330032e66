// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import KVM
import TestMachine
import Testing

@Suite("The CPUID table that devices have in common")
struct CPUIDTests {
    private func entry(
        _ function: UInt32, _ index: UInt32? = nil, eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0
    ) -> kvm_cpuid_entry2 {
        var entry = kvm_cpuid_entry2()
        entry.function = function
        entry.index = index ?? 0
        entry.flags = index == nil ? 0 : UInt32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX)
        (entry.eax, entry.ebx, entry.ecx, entry.edx) = (eax, ebx, ecx, edx)
        return entry
    }

    @Test("features are ANDed, the lowest maximum counts, the rest is the first device's")
    func common() throws {
        let one = CPUIDTable(entries: [
            entry(0, eax: 0x16, ebx: 1), entry(1, eax: 0x506e3, ecx: 0b1110, edx: 0xff), entry(7, 0, ebx: 0xf0),
        ])
        let other = CPUIDTable(entries: [
            entry(0, eax: 0xd, ebx: 2), entry(1, eax: 1, ecx: 0b0111, edx: 0xf0), entry(7, 0, ebx: 0x3c),
        ])
        let table = CPUIDTable.common([one, other])
        #expect(table[0, 0]?.eax == 0xd)
        #expect(table[0, 0]?.ebx == 1)
        #expect(table[1, 0]?.eax == 0x506e3)
        #expect(table[1, 0]?.ecx == 0b0110)
        #expect(table[1, 0]?.edx == 0xf0)
        #expect(table[7, 0]?.ebx == 0x30)
    }

    @Test("topology, hypervisor leaves, the APIC id and OSXSAVE are not in it, nor what one device lacks")
    func leftOut() {
        let one = CPUIDTable(entries: [
            entry(1, ebx: 0x0710_0800, ecx: 1 << 27), entry(0xb, 0), entry(0x4000_0000), entry(0x8000_0001, edx: 1),
        ])
        let two = CPUIDTable(entries: [entry(1, ebx: 0, ecx: 1 << 27)])
        #expect(CPUIDTable.common([one])[0xb, 0] == nil)
        #expect(CPUIDTable.common([one])[0x4000_0000, 0] == nil)
        #expect(CPUIDTable.common([one])[1, 0]?.ebx == 0x0001_0800)
        #expect(CPUIDTable.common([one])[1, 0]?.ecx == 0)
        #expect(CPUIDTable.common([one])[0x8000_0001, 0]?.edx == 1)
        #expect(CPUIDTable.common([one, two])[0x8000_0001, 0] == nil)
        #expect(CPUIDTable.common([]).entries.isEmpty)
    }

    @Test("a guest's requirements are looked up")
    func requirements() {
        var guest = Guest(name: "x")
        guest.requires = ["avx", "sse2"]
        let table = CPUIDTable(entries: [entry(1, edx: 1 << 26)])
        #expect(guest.missingFeatures(in: table) == ["avx"])
        #expect(Set(CPUIDFeature.all.map(\.name)).count == CPUIDFeature.all.count)
    }
}
