// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVMABI

/// Which instructions of a guest leave it. SDM vol. 3, 26.1.
extension VMCS {
    /// An access to `size` ports from `port` on. SDM vol. 3, 26.1.3.
    public func exits(port: UInt16, size: Int, _ memory: any PhysicalMemory) -> Bool {
        guard has(ProcControl.useIoBitmaps) else { return has(ProcControl.unconditionalIoExiting) }
        // Around the end of the port space there is always an exit.
        if Int(port) + size > 0x10000 { return true }
        return (UInt64(port)..<UInt64(port) + UInt64(size)).contains { number in
            number < 0x8000
                ? memory.bit(self[.ioBitmapA], number) : memory.bit(self[.ioBitmapB], number - 0x8000)
        }
    }

    /// RDMSR or WRMSR. SDM vol. 3, 25.6.9.
    public func exits(msr index: UInt32, write: Bool, _ memory: any PhysicalMemory) -> Bool {
        guard has(ProcControl.useMsrBitmaps) else { return true }
        let half: UInt64 = write ? 2048 : 0
        switch index {
        case 0...0x1FFF: return memory.bit(self[.msrBitmap] + half, UInt64(index))
        case 0xC000_0000...0xC000_1FFF: return memory.bit(self[.msrBitmap] + half + 1024, UInt64(index & 0x1FFF))
        default: return true
        }
    }

    /// An exception that an instruction or its delivery raised. SDM vol. 3, 26.2.
    public func exits(exception vector: UInt8, errorCode: UInt32?) -> Bool {
        let bit = self[.exceptionBitmap] >> UInt64(vector & 31) & 1 != 0
        guard vector == 14 else { return bit }
        let matches =
            UInt64(errorCode ?? 0) & self[.pageFaultErrorCodeMask] == self[.pageFaultErrorCodeMatch]
        return bit == matches
    }

    /// The exit qualification of an I/O instruction. SDM vol. 3, table 28-5.
    public static func qualification(
        port: UInt16, size: Int, isInput: Bool, isString: Bool, isRepeated: Bool, isImmediate: Bool
    ) -> UInt64 {
        UInt64(size - 1) | (isInput ? 8 : 0) | (isString ? 16 : 0) | (isRepeated ? 32 : 0) | (isImmediate ? 64 : 0)
            | UInt64(port) << 16
    }

    /// The exit qualification of MOV to or from a debug register. SDM vol. 3, table 28-4.
    public static func qualification(debugRegister: Int, isRead: Bool, register: Int) -> UInt64 {
        UInt64(debugRegister & 7) | (isRead ? 16 : 0) | UInt64(register & 15) << 8
    }
}
