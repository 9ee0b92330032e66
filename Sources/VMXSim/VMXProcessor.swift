// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// The VMX side of one logical processor: its VMXON region, its VMCSs, its caches. SDM vol. 3, ch. 24 to 31.
///
/// A VMCS that is active lives here, as it does in a processor's own memory; VMCLEAR puts it into its region.
public final class VMXProcessor {
    public let capabilities: Capabilities
    public let memory: any PhysicalMemory
    public var host = HostState()
    public var caches: TranslationCaches
    /// Every check that the last VM entry failed.
    public private(set) var refusals: [Refusal] = []

    private let fields: [UInt8]
    private var region: UInt64?
    private var active: [UInt64: VMCS] = [:]
    private var pointer: UInt64?
    private var vmcs: VMCS?

    public init(_ capabilities: Capabilities, memory: any PhysicalMemory) {
        self.capabilities = capabilities
        self.memory = memory
        caches = TranslationCaches(capabilities: capabilities)
        fields = capabilities.fieldTable()
    }

    public var isInOperation: Bool { region != nil }
    /// The current VMCS and where its region is.
    public var current: VMCS? { vmcs }
    public var currentPointer: UInt64? { pointer }

    /// Whether an active VMCS has its region in a page: a page that may not be given away.
    public func isActive(_ physical: UInt64) -> Bool { active[physical] != nil }

    private func fail(_ error: VMInstructionError) -> VMXResult {
        guard let vmcs else { return .failInvalid }
        vmcs[.instructionError] = UInt64(error.rawValue)
        return .failValid(error)
    }

    private func isRegion(_ physical: UInt64) -> Bool {
        physical & 0xFFF == 0 && !capabilities.isBeyond(physical)
    }

    /// VMXON. SDM vol. 3, ch. 31.
    public func vmxon(_ physical: UInt64) -> VMXResult {
        if region != nil { return fail(.vmxonInRoot) }
        if host.cr4 & Bit.cr4VMXE == 0 { return .undefined }
        guard capabilities.featureControl & 5 == 5,
            EntryChecker.fits(host.cr0, fixed0: capabilities.cr0Fixed0, fixed1: capabilities.cr0Fixed1),
            EntryChecker.fits(host.cr4, fixed0: capabilities.cr4Fixed0, fixed1: capabilities.cr4Fixed1)
        else { return .generalProtection }
        guard isRegion(physical), UInt32(truncatingIfNeeded: memory.load(physical)) == capabilities.revision
        else { return .failInvalid }
        region = physical
        pointer = nil
        vmcs = nil
        return .succeed
    }

    public func vmxoff() -> VMXResult {
        guard region != nil else { return .undefined }
        region = nil
        pointer = nil
        vmcs = nil
        return .succeed
    }

    /// VMCLEAR: the VMCS is in memory and not launched.
    public func vmclear(_ physical: UInt64) -> VMXResult {
        guard let region else { return .undefined }
        if !isRegion(physical) { return fail(.vmclearInvalidAddress) }
        if physical == region { return fail(.vmclearVMXONPointer) }
        if let cleared = active.removeValue(forKey: physical) { cleared.save(to: memory, at: physical) }
        if pointer == physical {
            pointer = nil
            vmcs = nil
        }
        return .succeed
    }

    /// VMPTRLD: active and current.
    public func vmptrld(_ physical: UInt64) -> VMXResult {
        guard let region else { return .undefined }
        if !isRegion(physical) { return fail(.vmptrldInvalidAddress) }
        if physical == region { return fail(.vmptrldVMXONPointer) }
        let head = UInt32(truncatingIfNeeded: memory.load(physical))
        let mayShadow = capabilities.may(Proc2Control.vmcsShadowing)
        if head & 0x7FFF_FFFF != capabilities.revision || head >> 31 != 0 && !mayShadow {
            return fail(.vmptrldWrongRevision)
        }
        if let known = active[physical] {
            vmcs = known
        } else {
            let loaded = VMCS()
            loaded.restore(from: memory, at: physical)
            active[physical] = loaded
            vmcs = loaded
        }
        pointer = physical
        return .succeed
    }

    public func vmread(_ encoding: UInt32) -> (result: VMXResult, value: UInt64) {
        guard region != nil else { return (.undefined, 0) }
        guard let vmcs else { return (.failInvalid, 0) }
        // Bit 0 asks for the high half of a 64-bit field. SDM vol. 3, 25.11.2.
        let isHigh = encoding & 1 != 0
        guard access(encoding) > 0 else { return (fail(.unsupportedField), 0) }
        let value = vmcs[encoding: encoding & ~1]
        return (.succeed, isHigh ? value >> 32 : value)
    }

    public func vmwrite(_ encoding: UInt32, _ value: UInt64) -> VMXResult {
        guard region != nil else { return .undefined }
        guard let vmcs else { return .failInvalid }
        switch access(encoding) {
        case 0: return fail(.unsupportedField)
        case 1: return fail(.readOnlyField)
        default: break
        }
        if encoding & 1 != 0 {
            vmcs[encoding: encoding & ~1] = vmcs[encoding: encoding & ~1] & 0xFFFF_FFFF | value << 32
        } else {
            vmcs[encoding: encoding] = value
        }
        return .succeed
    }

    /// 0 no such field, 1 read only, 2 both.
    @inline(__always)
    private func access(_ encoding: UInt32) -> UInt8 {
        // Bits 31:15 and 12 are reserved; bit 0 is for 64-bit fields only.
        guard encoding & 0xFFFF_9000 == 0, encoding & 1 == 0 || encoding >> 13 & 3 == 1 else { return 0 }
        return fields[VMCS.slot(encoding)]
    }

    /// INVEPT. SDM vol. 3, 29.4.3.1 and ch. 31.
    public func invept(_ type: UInt64, eptp: UInt64) -> VMXResult {
        guard region != nil else { return .undefined }
        switch type {
        case 1 where capabilities.has(.inveptSingle):
            if !EPTPointer(rawValue: eptp).faults(capabilities).isEmpty { return fail(.invalidInvalidationOperand) }
            caches.invalidate(.ept(EPTPointer(rawValue: eptp).table))
        case 2 where capabilities.has(.inveptAll): caches.invalidate(.allEPT)
        default: return fail(.invalidInvalidationOperand)
        }
        return .succeed
    }

    /// INVVPID.
    public func invvpid(_ type: UInt64, vpid: UInt64, linear: UInt64) -> VMXResult {
        guard region != nil else { return .undefined }
        let isOffered =
            switch type {
            case 0: capabilities.has(.invvpidAddress)
            case 1: capabilities.has(.invvpidSingle)
            case 2: capabilities.has(.invvpidAll)
            case 3: capabilities.has(.invvpidSingleRetainingGlobals)
            default: false
            }
        if !isOffered || vpid >> 16 != 0 || (vpid == 0 && type != 2) || (type == 0 && !Bits.isCanonical(linear)) {
            return fail(.invalidInvalidationOperand)
        }
        let id = UInt16(truncatingIfNeeded: vpid)
        switch type {
        case 0: caches.invalidate(.address(vpid: id, linear: linear))
        case 1: caches.invalidate(.vpid(id))
        case 2: caches.invalidate(.allVPIDs)
        default: caches.invalidate(.vpidKeepingGlobals(id))
        }
        return .succeed
    }

    /// VMLAUNCH or VMRESUME up to the first instruction of the guest. SDM vol. 3, ch. 27.
    public func enter<File: MSRFile>(launch: Bool, movSSBlocking: Bool = false, msrs: inout File) -> VMEntry {
        refusals = []
        guard region != nil else { return .refused(.undefined) }
        guard let vmcs else { return .refused(.failInvalid) }
        if movSSBlocking { return .refused(fail(.movSSBlocking)) }
        if launch, vmcs.launchState != .clear { return .refused(fail(.vmlaunchNotClear)) }
        if !launch, vmcs.launchState != .launched { return .refused(fail(.vmresumeNotLaunched)) }

        var checker = EntryChecker(vmcs, capabilities, memory)
        checker.run()
        refusals = checker.refusals
        if let first = refusals.first {
            switch first.check.consequence {
            case .instruction(let error): return .refused(fail(error))
            case .exit(let qualification):
                return .failed(failEntry(.entryFailGuestState, qualification, vmcs))
            }
        }
        let state = GuestState(vmcs, over: host, memory: memory)
        let wrong = MSRArea.load(vmcs, .entryMsrLoadAddr, .entryMsrLoadCount, memory, &msrs)
        if wrong != 0 {
            refusals = [Refusal(check: .entryMSRLoading, field: .entryMsrLoadAddr, value: vmcs[.entryMsrLoadAddr])]
            return .failed(failEntry(.entryFailMsrLoading, wrong, vmcs))
        }
        vmcs.launchState = .launched
        VirtualAPIC(vmcs, memory)?.updatePriority()
        caches.enter(vmcs, pcid: state.cr4 & Bit.cr4PCIDE != 0 ? UInt16(state.cr3 & 0xFFF) : 0)
        let event = Injection(
            info: vmcs[.entryInterruptionInfo], errorCode: vmcs[.entryExceptionErrorCode],
            length: vmcs[.entryInstructionLength])
        return .entered(state, event)
    }

    private func failEntry(_ reason: VMXExitReason, _ qualification: UInt64, _ vmcs: VMCS) -> VMExit {
        var exit = VMExit(reason, qualification: qualification)
        exit.isEntryFailure = true
        exit.record(in: vmcs)
        // Nothing of the guest is saved, but the host's state is loaded. SDM vol. 3, 27.8.
        host.load(vmcs)
        return exit
    }

    /// VM exit: the information fields, the guest's state, the areas of MSRs, the host's state. SDM vol. 3, ch. 28.
    ///
    /// - Returns: false for a VMX abort, after which a processor stops. SDM vol. 3, 28.7.
    public func exit<File: MSRFile>(_ exit: VMExit, _ state: GuestState, timer: UInt64 = 0, msrs: inout File) -> Bool {
        guard let vmcs else { preconditionFailure("a VM exit without a current VMCS") }
        exit.record(in: vmcs)
        vmcs[.entryInterruptionInfo] = vmcs[.entryInterruptionInfo] & ~(1 << 31)
        state.save(to: vmcs, capabilities)
        if vmcs.has(ExitControl.savePreemptionTimer) { vmcs[.preemptionTimerValue] = timer }
        let stored = MSRArea.store(vmcs, memory, &msrs)
        host.load(vmcs)
        caches.leave(vmcs)
        let loaded = MSRArea.load(vmcs, .exitMsrLoadAddr, .exitMsrLoadCount, memory, &msrs)
        return stored == 0 && loaded == 0
    }
}

/// How VMLAUNCH or VMRESUME ended.
public enum VMEntry {
    /// The instruction failed.
    case refused(VMXResult)
    /// A VM exit with bit 31 of its reason set; it is recorded, and the host's state is loaded.
    case failed(VMExit)
    /// The guest runs from this state on, after the event (if any) is delivered.
    case entered(GuestState, Injection?)
}
