// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

extension EntryChecker {
    /// Controls against a capability MSR: the low half must be 1, others than the high half must be 0.
    private func isAllowed(_ controls: UInt64, _ capability: UInt64) -> Bool {
        capability & ~controls & 0xFFFF_FFFF == 0 && controls & ~(capability >> 32) == 0
    }

    /// SDM vol. 3, 27.2.1.1.
    mutating func controls() {
        let useTrue = capabilities.basic & 1 << 55 != 0
        check(
            .pinControls, .pinControls,
            isAllowed(vmcs[.pinControls], useTrue ? capabilities.truePin : capabilities.pin))
        check(
            .procControls, .procControls,
            isAllowed(vmcs[.procControls], useTrue ? capabilities.trueProc : capabilities.proc))
        if vmcs.has(ProcControl.secondaryControls) {
            check(.proc2Controls, .proc2Controls, isAllowed(vmcs[.proc2Controls], capabilities.proc2))
        }
        check(.cr3TargetCount, .cr3TargetCount, vmcs[.cr3TargetCount] <= capabilities.cr3Targets)
        if vmcs.has(ProcControl.useIoBitmaps) {
            check(.ioBitmapAddress, .ioBitmapA, isAddress(.ioBitmapA))
            check(.ioBitmapAddress, .ioBitmapB, isAddress(.ioBitmapB))
        }
        if vmcs.has(ProcControl.useMsrBitmaps) { check(.msrBitmapAddress, .msrBitmap, isAddress(.msrBitmap)) }
        tprShadow()
        interrupts()
        ept()
        if vmcs.has(Proc2Control.enableVmFunctions) {
            check(.vmFunctions, .vmFunctionControl, vmcs[.vmFunctionControl] & ~capabilities.vmFunctions == 0)
            if vmcs[.vmFunctionControl] & 1 != 0 {
                check(.eptpSwitchingWithoutEPT, .vmFunctionControl, vmcs.has(Proc2Control.enableEpt))
                check(.eptpListAddress, .eptpListAddr, isAddress(.eptpListAddr))
            }
        }
        if vmcs.has(Proc2Control.vmcsShadowing) {
            check(.shadowingBitmapAddress, .vmreadBitmap, isAddress(.vmreadBitmap))
            check(.shadowingBitmapAddress, .vmwriteBitmap, isAddress(.vmwriteBitmap))
        }
        if vmcs.has(Proc2Control.eptViolationVe) {
            check(.veInformationAddress, .veInformationAddr, isAddress(.veInformationAddr))
        }
        if vmcs.has(Proc2Control.useTscScaling) {
            check(.tscMultiplierZero, .tscMultiplier, vmcs[.tscMultiplier] != 0)
        }
    }

    private mutating func tprShadow() {
        let delivery = vmcs.has(Proc2Control.virtualInterruptDelivery)
        guard vmcs.has(ProcControl.tprShadow) else {
            check(
                .apicVirtualizationWithoutTPRShadow, .proc2Controls,
                !vmcs.has(Proc2Control.virtualizeX2apic) && !vmcs.has(Proc2Control.apicRegisterVirtualization)
                    && !delivery)
            return
        }
        check(.virtualAPICAddress, .virtualApicAddr, isAddress(.virtualApicAddr))
        guard !delivery else { return }
        check(.tprThresholdReserved, .tprThreshold, vmcs[.tprThreshold] >> 4 == 0)
        if !vmcs.has(Proc2Control.virtualizeApicAccesses), isAddress(.virtualApicAddr) {
            let priority = memory.byte(vmcs[.virtualApicAddr] + 0x80) >> 4
            check(.tprThresholdAboveVTPR, .tprThreshold, vmcs[.tprThreshold] & 15 <= UInt64(priority))
        }
    }

    private mutating func interrupts() {
        let virtualNMIs = vmcs.has(PinControl.virtualNmis)
        check(
            .virtualNMIsWithoutNMIExiting, .pinControls, !virtualNMIs || vmcs.has(PinControl.nmiExiting))
        check(
            .nmiWindowWithoutVirtualNMIs, .procControls, virtualNMIs || !vmcs.has(ProcControl.nmiWindowExiting))
        if vmcs.has(Proc2Control.virtualizeApicAccesses) {
            check(.apicAccessAddress, .apicAccessAddr, isAddress(.apicAccessAddr))
            check(.x2APICWithAPICAccesses, .proc2Controls, !vmcs.has(Proc2Control.virtualizeX2apic))
        }
        check(
            .virtualInterruptDeliveryWithoutInterruptExiting, .pinControls,
            !vmcs.has(Proc2Control.virtualInterruptDelivery) || vmcs.has(PinControl.externalInterruptExiting))
        guard vmcs.has(PinControl.postedInterrupts) else { return }
        check(.postedInterruptsWithoutDelivery, .pinControls, vmcs.has(Proc2Control.virtualInterruptDelivery))
        check(.postedInterruptsWithoutAcknowledgement, .exitControls, vmcs.has(ExitControl.acknowledgeInterrupt))
        check(.postedInterruptVector, .postedInterruptVector, vmcs[.postedInterruptVector] >> 8 == 0)
        check(
            .postedInterruptDescriptor, .postedInterruptDescAddr, isAddress(.postedInterruptDescAddr, alignment: 64))
    }

    private mutating func ept() {
        if vmcs.has(Proc2Control.enableVpid) { check(.vpidZero, .vpid, vmcs[.vpid] != 0) }
        guard vmcs.has(Proc2Control.enableEpt) else {
            check(.unrestrictedGuestWithoutEPT, .proc2Controls, !vmcs.has(Proc2Control.unrestrictedGuest))
            check(.pmlWithoutEPT, .proc2Controls, !vmcs.has(Proc2Control.enablePml))
            return
        }
        for fault in EPTPointer(rawValue: vmcs[.eptPointer]).faults(capabilities) { check(fault, .eptPointer, false) }
        if vmcs.has(Proc2Control.enablePml) { check(.pmlAddress, .pmlAddress, isAddress(.pmlAddress)) }
    }

    /// SDM vol. 3, 27.2.1.2.
    mutating func exitControls() {
        let useTrue = capabilities.basic & 1 << 55 != 0
        check(
            .exitControls, .exitControls,
            isAllowed(vmcs[.exitControls], useTrue ? capabilities.trueExit : capabilities.exit))
        check(
            .savedTimerWithoutTimer, .exitControls,
            vmcs.has(PinControl.preemptionTimer) || !vmcs.has(ExitControl.savePreemptionTimer))
        area(.exitMSRStoreArea, .exitMsrStoreAddr, .exitMsrStoreCount)
        area(.exitMSRLoadArea, .exitMsrLoadAddr, .exitMsrLoadCount)
    }

    /// An area of MSRs: 16 bytes each, aligned, all of them within the processor's addresses.
    private mutating func area(_ name: EntryCheck, _ address: VMCSField, _ count: VMCSField) {
        guard vmcs[count] != 0 else { return }
        let end = vmcs[address].addingReportingOverflow(vmcs[count] * 16 - 1)
        check(
            name, address,
            isAddress(address, alignment: 16) && !end.overflow && !capabilities.isBeyond(end.partialValue))
    }

    /// SDM vol. 3, 27.2.1.3.
    mutating func entryControls() {
        let useTrue = capabilities.basic & 1 << 55 != 0
        check(
            .entryControls, .entryControls,
            isAllowed(vmcs[.entryControls], useTrue ? capabilities.trueEntry : capabilities.entry))
        check(
            .smmOutsideSMM, .entryControls,
            !vmcs.has(EntryControl.entryToSmm) && !vmcs.has(EntryControl.deactivateDualMonitor))
        area(.entryMSRLoadArea, .entryMsrLoadAddr, .entryMsrLoadCount)
        injection()
    }

    private mutating func injection() {
        let info = vmcs[.entryInterruptionInfo]
        guard info & 1 << 31 != 0 else { return }
        let field = VMCSField.entryInterruptionInfo
        let vector = info & 0xFF
        let kind = Injection.Kind(rawValue: UInt8(info >> 8 & 7)) ?? .reserved
        let hasTrapFlag = capabilities.may(ProcControl.monitorTrapFlag)
        check(.injectionType, field, kind != .reserved && (kind != .other || hasTrapFlag))
        let vectorFits =
            switch kind {
            case .nmi: vector == 2
            case .hardwareException: vector <= 31
            case .other: vector == 0
            default: true
            }
        check(.injectionVector, field, vectorFits)
        let protected = vmcs[.guestCr0] & Bit.cr0PE != 0 || !vmcs.has(Proc2Control.unrestrictedGuest)
        let pushes = kind == .hardwareException && [8, 10, 11, 12, 13, 14, 17].contains(vector) && protected
        check(.injectionErrorCodeFlag, field, (info & 1 << 11 != 0) == pushes)
        check(.injectionReserved, field, info & 0x7FFF_F000 == 0)
        if info & 1 << 11 != 0 {
            check(.injectionErrorCode, .entryExceptionErrorCode, vmcs[.entryExceptionErrorCode] >> 16 == 0)
        }
        switch kind {
        case .softwareInterrupt, .softwareException, .privilegedSoftwareException:
            let length = vmcs[.entryInstructionLength]
            check(
                .injectionLength, .entryInstructionLength,
                length <= 15 && (length != 0 || capabilities.allowsZeroInstructionLength))
        default: break
        }
    }
}
