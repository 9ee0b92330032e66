// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI
import Testing
import VMXCases
import VMXSim

/// Which instructions leave a guest. SDM vol. 3, 26.1.
@Suite struct InstructionExitTests {
    private let memory = TestMemory()
    private let vmcs = VMCS()

    @Test func portsWithoutBitmapsFollowOneControl() {
        #expect(!vmcs.exits(port: 0x3F8, size: 1, memory))
        vmcs[.procControls] = ProcControl.unconditionalIoExiting.mask
        #expect(vmcs.exits(port: 0x3F8, size: 1, memory))
    }

    @Test(arguments: [
        (0x3F8, 1, true), (0x3F7, 1, false), (0x3F7, 2, true), (0x3F5, 4, true), (0x3F4, 4, false), (0x3F9, 1, false),
        (0x7FFF, 1, false), (0x7FFF, 2, true), (0x8000, 1, true), (0xFFFF, 1, false), (0xFFFF, 2, true), (0xFFFD, 4, true),
    ] as [(UInt16, Int, Bool)])
    func portsWithBitmaps(_ port: UInt16, _ size: Int, _ exits: Bool) {
        // The unconditional control is ignored beside bitmaps.
        vmcs[.procControls] = ProcControl.useIoBitmaps.mask | ProcControl.unconditionalIoExiting.mask
        vmcs[.ioBitmapA] = 0x1000
        vmcs[.ioBitmapB] = 0x2000
        memory.words[0x1000 + 0x3F8 / 8 & ~7] = 1 << (0x3F8 & 63)
        memory.words[0x2000] = 1
        #expect(vmcs.exits(port: port, size: size, memory) == exits)
    }

    @Test(arguments: [
        (0x10, false, true), (0x10, true, false), (0x1FFF, true, true), (0x1FFF, false, false), (0x2000, false, true),
        (0xC000_0080, true, true), (0xC000_0080, false, false), (0xC000_0102, false, true), (0xC000_2000, false, true),
        (0x4000_0000, true, true), (0x11, false, false),
    ] as [(UInt32, Bool, Bool)])
    func msrsWithBitmap(_ index: UInt32, _ write: Bool, _ exits: Bool) {
        vmcs[.procControls] = ProcControl.useMsrBitmaps.mask
        vmcs[.msrBitmap] = 0x3000
        memory.words[0x3000] = 1 << 0x10
        memory.words[0x3000 + 2048 + 0x3F8] = 1 << 63
        memory.words[0x3000 + 3072 + 0x80 / 8] = 1
        memory.words[0x3000 + 1024 + 0x100 / 8] = 1 << 2
        #expect(vmcs.exits(msr: index, write: write, memory) == exits)
    }

    @Test func everyMSRExitsWithoutBitmap() {
        #expect(vmcs.exits(msr: 0x10, write: false, memory))
    }

    @Test(arguments: [
        // bit of the bitmap, mask, match, error code, exits
        (true, 0, 0, 0, true), (false, 0, 0, 0, false), (true, 0, 0, 0x1F, true), (false, 0, 1, 1, true),
        (true, 1, 1, 1, true), (true, 1, 1, 2, false), (false, 1, 1, 1, false), (false, 1, 1, 2, true),
        (true, 0x10, 0, 0x10, false), (true, 0x10, 0, 0x07, true),
    ] as [(Bool, UInt64, UInt64, UInt32, Bool)])
    func pageFaultsByErrorCode(_ bit: Bool, _ mask: UInt64, _ match: UInt64, _ code: UInt32, _ exits: Bool) {
        vmcs[.exceptionBitmap] = bit ? 1 << 14 : 0
        vmcs[.pageFaultErrorCodeMask] = mask
        vmcs[.pageFaultErrorCodeMatch] = match
        #expect(vmcs.exits(exception: 14, errorCode: code) == exits)
    }

    @Test func otherExceptionsByTheirBitAlone() {
        vmcs[.exceptionBitmap] = 1 << 1 | 1 << 17
        vmcs[.pageFaultErrorCodeMatch] = 1
        for vector in 0..<32 as Range<UInt8> where vector != 14 {
            #expect(vmcs.exits(exception: vector, errorCode: nil) == (vector == 1 || vector == 17))
        }
    }

    @Test func qualifications() {
        #expect(
            VMCS.qualification(
                port: 0x3F8, size: 4, isInput: true, isString: true, isRepeated: true, isImmediate: false) == 0x3F8_003B)
        #expect(
            VMCS.qualification(
                port: 0xE9, size: 1, isInput: false, isString: false, isRepeated: false, isImmediate: true) == 0xE9_0040)
        #expect(VMCS.qualification(debugRegister: 7, isRead: true, register: 11) == 0xB17)
        #expect(ControlRegisterAccess.qualification(3, .movFrom, register: 9) == 0x913)
        #expect(
            ControlRegisterAccess.qualification(0, .lmsw, lmswSource: 0xABCD, lmswFromMemory: true) == 0xABCD_0070)
    }

    @Test func taskPriority() {
        vmcs[.procControls] = ProcControl.tprShadow.mask
        vmcs[.virtualApicAddr] = 0x5000
        vmcs[.tprThreshold] = 4
        memory.words[0x5080] = 0xFFFF_FFFF_1234_5678
        #expect(!vmcs.writeTaskPriority(4, memory))
        #expect(vmcs.readTaskPriority(memory) == 4)
        #expect(memory.words[0x5080] == 0xFFFF_FFFF_0000_0040)
        #expect(vmcs.writeTaskPriority(3, memory))
        vmcs[.procControls] = 0
        #expect(!vmcs.isBelowThreshold(memory))
    }
}
