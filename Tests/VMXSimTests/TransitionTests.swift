// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXCases

@testable import VMXSim

/// What VM entries load and VM exits save, record and load. SDM vol. 3, 27.3.2, 27.4, ch. 28.
@Suite struct TransitionTests {
    private let memory = TestMemory()
    private let processor: VMXProcessor
    private let vmcs: VMCS

    init() throws {
        processor = Fixture.processor(memory: memory)
        vmcs = try #require(processor.current)
    }

    private func enter(_ msrs: inout TestMSRs) throws -> (GuestState, Injection?) {
        let entry = processor.enter(launch: vmcs.launchState == .clear, msrs: &msrs)
        guard case .entered(let state, let event) = entry else { throw NotEntered(refusals: processor.refusals) }
        return (state, event)
    }

    private struct NotEntered: Error { let refusals: [Refusal] }

    @Test func everyFieldOfTheGuestComesBack() throws {
        let fields = VMCSField.allCases.filter { field in
            // Guest state, but for what is loaded or saved only with a control that the base has not.
            field.rawValue >> 10 & 3 == 2 && Capabilities.skylakeX.supports(field)
                && ![.guestSmbase, .guestInterruptStatus, .pmlIndex, .guestIa32PerfGlobalCtrl].contains(field)
        }
        vmcs[.guestIa32Debugctl] = 2
        vmcs[.guestSysenterCs] = 0x1234
        vmcs[.guestFsBase] = 0xFFFF_8000_0000_1000
        let before = fields.map { vmcs[$0] }
        var msrs = TestMSRs()
        let (state, _) = try enter(&msrs)
        for field in fields { vmcs[field] = field == .vmcsLinkPointer ? .max : 0 }
        #expect(processor.exit(VMExit(.hlt), state, msrs: &msrs))
        for (field, value) in zip(fields, before) {
            // PDPTEs and the timer are saved only for guests that use them.
            if [.guestPdpte0, .guestPdpte1, .guestPdpte2, .guestPdpte3, .preemptionTimerValue].contains(field) { continue }
            #expect(vmcs[field] == value, "\(field.name)")
        }
    }

    @Test func bitsOfCR0ThatEntriesDontLoadStay() throws {
        vmcs[.guestCr0] = 0xE005_0023
        var msrs = TestMSRs()
        let (state, _) = try enter(&msrs)
        // CD, NW and ET are the processor's own.
        #expect(state.cr0 == 0x8005_0033)
    }

    @Test func withoutTheirControlsMSRsStayAsTheyAre() throws {
        vmcs[.entryControls] = 0x13FB
        vmcs[.guestDr7] = 0x455
        vmcs[.guestIa32Pat] = 0
        vmcs[.guestIa32Efer] = 0
        processor.host.dr7 = 0x401
        var msrs = TestMSRs()
        let (state, _) = try enter(&msrs)
        #expect(state.dr7 == 0x401)
        #expect(state.pat == processor.host.pat)
        // LMA and LME follow "IA-32e mode guest".
        #expect(state.efer == 0xD01)
        vmcs[.exitControls] = 0x22_6FFB
        vmcs[.guestIa32Pat] = 0x0606_0606_0606_0606
        #expect(processor.exit(VMExit(.hlt), state, msrs: &msrs))
        #expect(vmcs[.guestDr7] == 0x455)
        #expect(vmcs[.guestIa32Pat] == 0x0606_0606_0606_0606)
    }

    @Test func aGuestThatLeftLongModeClearsTheEntryControl() throws {
        var msrs = TestMSRs()
        var (state, _) = try enter(&msrs)
        state.efer = 0
        #expect(processor.exit(VMExit(.crAccess), state, msrs: &msrs))
        #expect(!vmcs.has(EntryControl.ia32eModeGuest))
        #expect(vmcs[.guestIa32Efer] == 0)
    }

    @Test func theHostIsLoadedByAnExitAndAFailedEntry() throws {
        vmcs[.hostCr3] = 0x7000
        vmcs[.hostFsBase] = 0x1234
        vmcs[.hostRsp] = 0x9999
        var msrs = TestMSRs()
        let (state, _) = try enter(&msrs)
        processor.host.cr3 = 0
        processor.host.debugControl = 3
        #expect(processor.exit(VMExit(.hlt), state, msrs: &msrs))
        #expect(processor.host.cr3 == 0x7000)
        #expect(processor.host.fsBase == 0x1234)
        #expect(processor.host.rsp == 0x9999)
        #expect(processor.host.debugControl == 0)
        vmcs[.guestRflags] = 0
        processor.host.cr3 = 0
        guard case .failed = processor.enter(launch: false, msrs: &msrs) else {
            Issue.record("entered with RFLAGS 0")
            return
        }
        #expect(processor.host.cr3 == 0x7000)
    }

    @Test func theEventToInjectIsReadAndItsValidBitCleared() throws {
        vmcs[.entryInterruptionInfo] = 0x8000_0B0E
        vmcs[.entryExceptionErrorCode] = 5
        var msrs = TestMSRs()
        let (state, event) = try enter(&msrs)
        #expect(event == Injection(vector: 14, kind: .hardwareException, errorCode: 5))
        #expect(processor.exit(VMExit(.hlt), state, msrs: &msrs))
        #expect(vmcs[.entryInterruptionInfo] == 0x0B0E)
    }

    @Test func exitInformation() throws {
        var msrs = TestMSRs()
        let (state, _) = try enter(&msrs)
        var exit = VMExit(.eptViolation, qualification: 0x182, length: 3)
        exit.guestPhysical = 0x1234_5000
        exit.guestLinear = 0x7000
        exit.instructionInfo = 0x55
        exit.vectoring = Injection(vector: 0x80, kind: .softwareInterrupt, length: 2)
        #expect(processor.exit(exit, state, msrs: &msrs))
        #expect(vmcs[.exitReason] == 48)
        #expect(vmcs[.exitQualification] == 0x182)
        #expect(vmcs[.guestPhysicalAddress] == 0x1234_5000)
        #expect(vmcs[.guestLinearAddress] == 0x7000)
        #expect(vmcs[.exitInstructionInfo] == 0x55)
        #expect(vmcs[.idtVectoringInfo] == 0x8000_0480)
        // Of the event that was being delivered.
        #expect(vmcs[.exitInstructionLength] == 2)
        #expect(vmcs[.exitInterruptionInfo] == 0)

        let (again, _) = try enter(&msrs)
        var exception = VMExit(.exceptionNmi, qualification: 0x4000)
        exception.event = Injection(vector: 17, kind: .hardwareException, errorCode: 0)
        exception.unblockedNMI = true
        #expect(processor.exit(exception, again, msrs: &msrs))
        #expect(vmcs[.exitInterruptionInfo] == 0x8000_1B11)
        #expect(vmcs[.idtVectoringInfo] == 0)
    }

    @Test func msrsOfTheAreas() throws {
        vmcs[.entryMsrLoadCount] = 2
        vmcs[.entryMsrLoadAddr] = 0x4000
        vmcs[.exitMsrStoreCount] = 1
        vmcs[.exitMsrStoreAddr] = 0x4100
        vmcs[.exitMsrLoadCount] = 1
        vmcs[.exitMsrLoadAddr] = 0x4200
        memory.words = memory.words.merging([
            0x4000: 0xC000_0081, 0x4008: 0x11, 0x4010: 0xC000_0082, 0x4018: 0x22, 0x4100: 0xC000_0082, 0x4200: 0xC000_0081,
            0x4208: 0x99,
        ]) { $1 }
        var msrs = TestMSRs()
        let (state, _) = try enter(&msrs)
        #expect(msrs.values == [0xC000_0081: 0x11, 0xC000_0082: 0x22])
        msrs.values[0xC000_0082] = 0x33
        #expect(processor.exit(VMExit(.hlt), state, msrs: &msrs))
        #expect(memory.words[0x4108] == 0x33)
        #expect(msrs.values[0xC000_0081] == 0x99)
    }

    @Test(arguments: [0xC000_0100, 0xC000_0101, 0x9B, 0x79, 0x8B, 0x808, 0xC000_0084, 0x1_0000_0010] as [UInt64])
    func anMSRThatCantBeLoadedFailsTheEntryWithItsNumber(_ index: UInt64) throws {
        vmcs[.entryMsrLoadCount] = 2
        vmcs[.entryMsrLoadAddr] = 0x4000
        memory.words[0x4000] = 0xC000_0081
        memory.words[0x4010] = index
        var msrs = TestMSRs()
        msrs.missing = 0xC000_0084
        guard case .failed(let exit) = processor.enter(launch: true, msrs: &msrs) else {
            Issue.record("entered")
            return
        }
        #expect(exit.reason == .entryFailMsrLoading)
        #expect(vmcs[.exitReason] == 0x8000_0022)
        #expect(vmcs[.exitQualification] == 2)
        #expect(processor.refusals.map(\.check) == [.entryMSRLoading])
        #expect(vmcs.launchState == .clear)
    }

    @Test func anMSRThatCantBeStoredIsAnAbort() throws {
        vmcs[.exitMsrStoreCount] = 1
        vmcs[.exitMsrStoreAddr] = 0x4000
        memory.words[0x4000] = 0x10
        var msrs = TestMSRs()
        let (state, _) = try enter(&msrs)
        msrs.missing = 0x10
        #expect(!processor.exit(VMExit(.hlt), state, msrs: &msrs))
    }

    @Test func aGuestWithPAEPagingHasItsPointersSaved() throws {
        let processor = Fixture.processor(.pae32)
        let vmcs = try #require(processor.current)
        vmcs[.guestPdpte2] = 0x5001
        var msrs = TestMSRs()
        guard case .entered(var state, _) = processor.enter(launch: true, msrs: &msrs) else {
            Issue.record("\(processor.refusals)")
            return
        }
        #expect(state.pdptes[2] == 0x5001)
        state.pdptes[3] = 0x6001
        #expect(processor.exit(VMExit(.hlt), state, msrs: &msrs))
        #expect(vmcs[.guestPdpte3] == 0x6001)
    }

    @Test func theTimerIsSavedOnRequest() throws {
        var msrs = TestMSRs()
        vmcs[.pinControls] = 0x7F
        vmcs[.preemptionTimerValue] = 100
        let (state, _) = try enter(&msrs)
        #expect(processor.exit(VMExit(.hlt), state, timer: 7, msrs: &msrs))
        #expect(vmcs[.preemptionTimerValue] == 100)
        vmcs[.exitControls] = 0x7F_6FFF
        let (again, _) = try enter(&msrs)
        #expect(processor.exit(VMExit(.hlt), again, timer: 7, msrs: &msrs))
        #expect(vmcs[.preemptionTimerValue] == 7)
    }
}
