// SPDX-License-Identifier: MIT OR GPL-2.0-only
import VMXSim
import X86

/// The simulated processor: VMX as the lab's, instructions as the interpreter's.
enum Model {
    /// Physical addresses are this process's, which have 47 bits.
    static let physicalAddressBits: UInt8 = 48
    static let kilohertz: UInt32 = 1_000_000

    static let capabilities: Capabilities = {
        var capabilities = Capabilities.skylakeX
        capabilities.physicalAddressBits = physicalAddressBits
        // A guest may have those bits of CR4 that the interpreter knows.
        capabilities.cr4Fixed1 = CR4.implemented | CR4.vmx
        return capabilities
    }()

    static func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult {
        var result = Features.cpuid(leaf: leaf, subleaf: subleaf)
        switch leaf {
        case 1: result.ecx |= 1 << 5
        case 0x8000_0008: result.eax = 48 << 8 | UInt32(physicalAddressBits)
        default: break
        }
        return result
    }
}
