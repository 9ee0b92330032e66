// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXCases

@testable import VMXSim

@Suite struct VMXInstructionTests {
    private let memory = TestMemory()

    private func fresh() -> VMXProcessor {
        memory.words[Fixture.vmxon] = 0x2B
        memory.words[Fixture.region] = 0x2B
        return VMXProcessor(.skylakeX, memory: memory)
    }

    @Test func everythingIsUndefinedOutsideOfVMXOperation() {
        let processor = fresh()
        var msrs = TestMSRs()
        #expect(processor.vmxoff() == .undefined)
        #expect(processor.vmclear(Fixture.region) == .undefined)
        #expect(processor.vmptrld(Fixture.region) == .undefined)
        #expect(processor.vmread(0).result == .undefined)
        #expect(processor.vmwrite(0, 0) == .undefined)
        #expect(processor.invept(2, eptp: 0) == .undefined)
        #expect(processor.invvpid(2, vpid: 0, linear: 0) == .undefined)
        guard case .refused(.undefined) = processor.enter(launch: true, msrs: &msrs) else {
            Issue.record("VMLAUNCH")
            return
        }
    }

    @Test func vmxonChecksItsRegionAndTheProcessor() {
        let processor = fresh()
        #expect(processor.vmxon(Fixture.vmxon + 8) == .failInvalid)
        #expect(processor.vmxon(1 << 40) == .failInvalid)
        #expect(processor.vmxon(0x5000) == .failInvalid)
        processor.host.cr4 &= ~(1 << 13)
        #expect(processor.vmxon(Fixture.vmxon) == .undefined)
        processor.host.cr4 |= 1 << 13
        processor.host.cr0 &= ~(1 << 5)
        #expect(processor.vmxon(Fixture.vmxon) == .generalProtection)
        processor.host.cr0 |= 1 << 5
        #expect(processor.vmxon(Fixture.vmxon) == .succeed)
        #expect(processor.vmxon(Fixture.vmxon) == .failInvalid)
        #expect(processor.vmptrld(Fixture.region) == .succeed)
        #expect(processor.vmxon(Fixture.vmxon) == .failValid(.vmxonInRoot))
        #expect(processor.vmxoff() == .succeed)
        #expect(!processor.isInOperation)
    }

    @Test func aLockedFeatureControlForbidsVMXON() {
        var capabilities = Capabilities.skylakeX
        capabilities.featureControl = 1
        memory.words[Fixture.vmxon] = 0x2B
        #expect(VMXProcessor(capabilities, memory: memory).vmxon(Fixture.vmxon) == .generalProtection)
    }

    @Test func pointersAreChecked() {
        let processor = fresh()
        #expect(processor.vmxon(Fixture.vmxon) == .succeed)
        #expect(processor.vmptrld(Fixture.region) == .succeed)
        #expect(processor.vmptrld(Fixture.region + 1) == .failValid(.vmptrldInvalidAddress))
        #expect(processor.vmptrld(Fixture.vmxon) == .failValid(.vmptrldVMXONPointer))
        #expect(processor.vmptrld(0x5000) == .failValid(.vmptrldWrongRevision))
        #expect(processor.vmclear(1 << 40) == .failValid(.vmclearInvalidAddress))
        #expect(processor.vmclear(Fixture.vmxon) == .failValid(.vmclearVMXONPointer))
        #expect(processor.vmread(VMCSField.instructionError.rawValue).value == 3)
        // None of them took away the current VMCS.
        #expect(processor.currentPointer == Fixture.region)
        #expect(processor.vmclear(Fixture.region) == .succeed)
        #expect(processor.vmread(0).result == .failInvalid)
        #expect(processor.vmwrite(0, 0) == .failInvalid)
    }

    @Test(arguments: VMCSField.allCases) func fieldsKeepTheirWidth(_ field: VMCSField) {
        let processor = Fixture.processor()
        let pattern: UInt64 = 0x8877_6655_4433_2211
        let written = processor.vmwrite(field.rawValue, pattern)
        if !Capabilities.skylakeX.supports(field) {
            #expect(written == .failValid(.unsupportedField))
            #expect(processor.vmread(field.rawValue).result == .failValid(.unsupportedField))
            return
        }
        if field.access == .readOnly {
            #expect(written == .failValid(.readOnlyField))
            #expect(processor.vmread(field.rawValue).result == .succeed)
            return
        }
        #expect(written == .succeed)
        let kept: UInt64 =
            switch field.width {
            case .bits16: 0x2211
            case .bits32: 0x4433_2211
            case .bits64, .natural: pattern
            }
        #expect(processor.vmread(field.rawValue).value == kept)
        if field.width == .bits64 {
            #expect(processor.vmread(field.rawValue + 1).value == pattern >> 32)
            #expect(processor.vmwrite(field.rawValue + 1, 0x99) == .succeed)
            #expect(processor.vmread(field.rawValue).value == 0x99_4433_2211)
        } else {
            #expect(processor.vmread(field.rawValue + 1).result == .failValid(.unsupportedField))
        }
    }

    @Test func noTwoFieldsShareAPlace() {
        #expect(Set(VMCSField.allCases.map { VMCS.slot($0.rawValue) }).count == VMCSField.allCases.count)
    }

    @Test(arguments: [0x2024_0000, 0x1000, 0x6818_0000, 0xFFFF_FFFF, 0x3E] as [UInt32])
    func encodingsThatAreNoFieldsAreRefused(_ encoding: UInt32) {
        let processor = Fixture.processor()
        #expect(processor.vmread(encoding).result == .failValid(.unsupportedField))
        #expect(processor.vmwrite(encoding, 0) == .failValid(.unsupportedField))
    }

    @Test func launchAndResumeNeedTheirState() throws {
        let processor = Fixture.processor()
        var msrs = TestMSRs()
        func result(_ launch: Bool, movSS: Bool = false) -> VMXResult {
            switch processor.enter(launch: launch, movSSBlocking: movSS, msrs: &msrs) {
            case .refused(let result): result
            case .failed: .generalProtection
            case .entered(let state, _): processor.exit(VMExit(.hlt), state, msrs: &msrs) ? .succeed : .failInvalid
            }
        }
        #expect(result(false) == .failValid(.vmresumeNotLaunched))
        #expect(result(true, movSS: true) == .failValid(.movSSBlocking))
        #expect(result(true) == .succeed)
        #expect(result(true) == .failValid(.vmlaunchNotClear))
        #expect(result(false) == .succeed)
        #expect(processor.vmclear(Fixture.region) == .succeed)
        #expect(result(true) == .failInvalid)
        #expect(processor.vmptrld(Fixture.region) == .succeed)
        #expect(result(false) == .failValid(.vmresumeNotLaunched))
        #expect(result(true) == .succeed)
    }

    @Test func anActiveVMCSIsInTheProcessorAndVMCLEARPutsItIntoMemory() throws {
        let processor = Fixture.processor()
        #expect(processor.vmwrite(VMCSField.guestRip.rawValue, 0x1234) == .succeed)
        #expect(!memoryHolds(processor, 0x1234))
        #expect(processor.isActive(Fixture.region))
        #expect(processor.vmclear(Fixture.region) == .succeed)
        #expect(memoryHolds(processor, 0x1234))
        #expect(!processor.isActive(Fixture.region))
        #expect(processor.vmptrld(Fixture.region) == .succeed)
        #expect(processor.vmread(VMCSField.guestRip.rawValue).value == 0x1234)
    }

    private func memoryHolds(_ processor: VMXProcessor, _ value: UInt64) -> Bool {
        (0..<512 as Range<UInt64>).contains { processor.memory.load(Fixture.region + $0 * 8) == value }
    }

    @Test(
        arguments: [
            (0, 0x10_001E, false), (1, 0x10_001E, true), (2, 0, true), (3, 0x10_001E, false),
            (1, 0x10_0000, false), (1, 0x10_081E, false), (1, 0x100_0000_001E, false),
        ] as [(UInt64, UInt64, Bool)])
    func inveptOperands(_ type: UInt64, _ eptp: UInt64, _ isGood: Bool) {
        let expected: VMXResult = isGood ? .succeed : .failValid(.invalidInvalidationOperand)
        #expect(Fixture.processor().invept(type, eptp: eptp) == expected)
    }

    @Test(arguments: [
        Invalidation(0, 1, 0x1000, true), Invalidation(0, 0, 0x1000, false),
        Invalidation(0, 1, 0x8000_0000_0000, false),
        Invalidation(1, 1, 0, true), Invalidation(1, 0, 0, false), Invalidation(1, 0x1_0000, 0, false),
        Invalidation(2, 0, 0, true), Invalidation(3, 1, 0, true), Invalidation(3, 0, 0, false),
        Invalidation(4, 1, 0, false),
    ])
    func invvpidOperands(_ test: Invalidation) {
        let expected: VMXResult = test.isGood ? .succeed : .failValid(.invalidInvalidationOperand)
        #expect(Fixture.processor().invvpid(test.type, vpid: test.vpid, linear: test.linear) == expected)
    }

    struct Invalidation: Sendable {
        let type, vpid, linear: UInt64
        let isGood: Bool
        init(_ type: UInt64, _ vpid: UInt64, _ linear: UInt64, _ isGood: Bool) {
            (self.type, self.vpid, self.linear, self.isGood) = (type, vpid, linear, isGood)
        }
    }
}
