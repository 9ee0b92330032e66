// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
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
        // Only what is simulated is offered: a control that would silently do nothing is refused at VM entry.
        capabilities.proc2 &= simulated.reduce(0) { $0 | $1.mask } << 32
        capabilities.trueExit &= ~(ExitControl.loadPerfGlobalCtrl.mask << 32)
        capabilities.exit &= ~(ExitControl.loadPerfGlobalCtrl.mask << 32)
        capabilities.trueEntry &= ~(EntryControl.loadPerfGlobalCtrl.mask << 32)
        capabilities.entry &= ~(EntryControl.loadPerfGlobalCtrl.mask << 32)
        // A guest may have those bits of CR4 that the interpreter knows.
        capabilities.cr4Fixed1 = CR4.implemented | CR4.vmx
        return capabilities
    }()

    /// The same with page-modification logging, which the module doesn't use unless it is told to.
    static let loggingCapabilities: Capabilities = {
        var capabilities = Model.capabilities
        capabilities.proc2 |= Proc2Control.enablePml.mask << 32
        return capabilities
    }()

    /// The same with all that an x2APIC can be virtualized by, posted interrupts among it. (Accesses to an xAPIC's page are not simulated: `SimulatedVM`
    /// sees to it that there are none.)
    static let postingCapabilities: Capabilities = {
        var capabilities = Model.capabilities
        for bit in [
            Proc2Control.virtualizeApicAccesses, .virtualizeX2apic, .apicRegisterVirtualization, .virtualInterruptDelivery,
        ] {
            capabilities.proc2 |= bit.mask << 32
        }
        capabilities.pin |= PinControl.postedInterrupts.mask << 32
        capabilities.truePin |= PinControl.postedInterrupts.mask << 32
        return capabilities
    }()

    private static let simulated: [Proc2Control] = [
        .enableEpt, .descriptorTableExiting, .enableRdtscp, .enableVpid, .wbinvdExiting, .unrestrictedGuest,
        .rdrandExiting, .enableInvpcid, .rdseedExiting, .useTscScaling,
    ]

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
