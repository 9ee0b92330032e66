// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import CKVMABI
public import X86

/// Between struct kvm_fpu, whose `fpr` are ST(0) to ST(7) as FXSAVE has them, and the interpreter's x87 and SSE registers.
extension VectorState {
    public var kvm: kvm_fpu {
        var fpu = kvm_fpu()
        fpu.fcw = controlWord
        fpu.fsw = statusWord
        fpu.ftwx = tagWord
        fpu.last_opcode = lastOpcode
        fpu.last_ip = lastInstruction
        fpu.last_dp = lastData
        fpu.mxcsr = mxcsr
        unsafe withUnsafeMutableBytes(of: &fpu.fpr) { bytes in
            for number in 0..<8 {
                unsafe bytes.storeBytes(of: self[stack: number], toByteOffset: number * 16, as: SIMD2<UInt64>.self)
            }
        }
        unsafe withUnsafeMutableBytes(of: &fpu.xmm) { bytes in
            for number in 0..<16 {
                unsafe bytes.storeBytes(of: xmm[number], toByteOffset: number * 16, as: SIMD2<UInt64>.self)
            }
        }
        return fpu
    }

    /// All of it but MXCSR, which KVM_SET_FPU has never set: VMMs leave 0 there.
    public mutating func load(_ fpu: kvm_fpu) {
        controlWord = fpu.fcw
        statusWord = fpu.fsw
        tagWord = fpu.ftwx
        lastOpcode = fpu.last_opcode
        lastInstruction = fpu.last_ip
        lastData = fpu.last_dp
        unsafe withUnsafeBytes(of: fpu.fpr) { bytes in
            for number in 0..<8 {
                self[stack: number] = unsafe bytes.loadUnaligned(fromByteOffset: number * 16, as: SIMD2<UInt64>.self)
            }
        }
        unsafe withUnsafeBytes(of: fpu.xmm) { bytes in
            for number in 0..<16 {
                xmm[number] = unsafe bytes.loadUnaligned(fromByteOffset: number * 16, as: SIMD2<UInt64>.self)
            }
        }
    }
}
