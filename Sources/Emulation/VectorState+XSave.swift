// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
public import X86

/// Between struct kvm_xsave, XSAVE's standard form, and the interpreter's x87 and SSE registers. SDM vol. 1, 10.5.1 and 13.4.
extension VectorState {
    private enum Offset {
        static let lastOpcode = 6
        static let lastInstruction = 8
        static let lastData = 16
        static let mxcsr = 24
        static let mxcsrMask = 28
        static let stack = 32
        static let xmm = 160
        static let features = 512
    }

    public var xsave: [UInt8] {
        var image = [UInt8](repeating: 0, count: MemoryLayout<kvm_xsave>.size)
        unsafe image.withUnsafeMutableBytes { bytes in
            unsafe bytes.storeBytes(of: controlWord, as: UInt16.self)
            unsafe bytes.storeBytes(of: statusWord, toByteOffset: 2, as: UInt16.self)
            unsafe bytes.storeBytes(of: tagWord, toByteOffset: 4, as: UInt8.self)
            unsafe bytes.storeBytes(of: lastOpcode, toByteOffset: Offset.lastOpcode, as: UInt16.self)
            unsafe bytes.storeBytes(of: lastInstruction, toByteOffset: Offset.lastInstruction, as: UInt64.self)
            unsafe bytes.storeBytes(of: lastData, toByteOffset: Offset.lastData, as: UInt64.self)
            unsafe bytes.storeBytes(of: mxcsr, toByteOffset: Offset.mxcsr, as: UInt32.self)
            unsafe bytes.storeBytes(of: 0xFFFF, toByteOffset: Offset.mxcsrMask, as: UInt32.self)
            for number in 0..<8 {
                unsafe bytes.storeBytes(
                    of: self[stack: number], toByteOffset: Offset.stack + number * 16, as: SIMD2<UInt64>.self)
            }
            for number in 0..<16 {
                unsafe bytes.storeBytes(of: xmm[number], toByteOffset: Offset.xmm + number * 16, as: SIMD2<UInt64>.self)
            }
            unsafe bytes.storeBytes(of: 3, toByteOffset: Offset.features, as: UInt64.self)
        }
        return image
    }

    /// All of it: what the image's header says is not in it gets its initial state.
    public mutating func load(xsave image: [UInt8]) {
        precondition(image.count >= MemoryLayout<kvm_xsave>.size, "an XSAVE image of \(image.count) bytes")
        self = VectorState()
        unsafe image.withUnsafeBytes { bytes in
            let features = unsafe bytes.load(fromByteOffset: Offset.features, as: UInt64.self)
            if features & 3 != 0 { mxcsr = unsafe bytes.load(fromByteOffset: Offset.mxcsr, as: UInt32.self) }
            if features & 1 != 0 {
                controlWord = unsafe bytes.load(as: UInt16.self)
                statusWord = unsafe bytes.load(fromByteOffset: 2, as: UInt16.self)
                tagWord = unsafe bytes.load(fromByteOffset: 4, as: UInt8.self)
                lastOpcode = unsafe bytes.load(fromByteOffset: Offset.lastOpcode, as: UInt16.self)
                lastInstruction = unsafe bytes.load(fromByteOffset: Offset.lastInstruction, as: UInt64.self)
                lastData = unsafe bytes.load(fromByteOffset: Offset.lastData, as: UInt64.self)
                for number in 0..<8 {
                    self[stack: number] = unsafe bytes.loadUnaligned(
                        fromByteOffset: Offset.stack + number * 16, as: SIMD2<UInt64>.self)
                }
            }
            if features & 2 != 0 {
                for number in 0..<16 {
                    xmm[number] = unsafe bytes.loadUnaligned(
                        fromByteOffset: Offset.xmm + number * 16, as: SIMD2<UInt64>.self)
                }
            }
        }
    }
}
