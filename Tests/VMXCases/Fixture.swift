// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
package import VMXSim

package enum Fixture {
    package static let vmxon: UInt64 = 0x8000
    package static let region: UInt64 = 0x9000
    package static let eptp: UInt64 = 0x10_001E

    /// A processor in VMX operation whose current VMCS is empty.
    package static func empty(_ capabilities: Capabilities, memory: TestMemory) -> VMXProcessor {
        memory.words[vmxon] = UInt64(capabilities.revision)
        memory.words[region] = UInt64(capabilities.revision)
        let processor = VMXProcessor(capabilities, memory: memory)
        _ = processor.vmxon(vmxon)
        _ = processor.vmclear(region)
        _ = processor.vmptrld(region)
        return processor
    }

    /// A processor in VMX operation whose current VMCS VM entry accepts.
    package static func processor(
        _ base: Base = .long64, _ capabilities: Capabilities = .skylakeX, memory: TestMemory = TestMemory()
    ) -> VMXProcessor {
        let processor = empty(capabilities, memory: memory)
        if let vmcs = processor.current {
            for write in base.fields + hostFields(processor.host) { vmcs[write.field] = write.value }
        }
        return processor
    }

    /// A host's state as fields of a VMCS.
    package static func hostFields(_ host: HostState) -> [FieldValue] {
        [
            FieldValue(.hostCr0, host.cr0), FieldValue(.hostCr3, host.cr3), FieldValue(.hostCr4, host.cr4),
            FieldValue(.hostIa32Efer, host.efer), FieldValue(.hostIa32Pat, host.pat),
            FieldValue(.hostCsSelector, UInt64(host.cs)), FieldValue(.hostSsSelector, UInt64(host.ss)),
            FieldValue(.hostTrSelector, UInt64(host.tr)), FieldValue(.hostGsBase, host.gsBase),
            FieldValue(.hostTrBase, host.trBase), FieldValue(.hostGdtrBase, host.gdtrBase),
            FieldValue(.hostIdtrBase, host.idtrBase), FieldValue(.hostSysenterCs, host.sysenterCS),
            FieldValue(.hostSysenterEsp, host.sysenterESP), FieldValue(.hostSysenterEip, host.sysenterEIP),
            FieldValue(.hostRip, 0xFFFF_FFFF_8120_0000),
        ]
    }
}
