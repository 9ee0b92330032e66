// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CLikexCore
import X86

/// KVM_GET_FPU and KVM_SET_FPU, as kmod/linux/fpu.c has them.
extension SimulatedVCPU {
    func fpu() -> kvm_fpu {
        var fpu = kvm_fpu()
        fpu.fcw = vectors.controlWord
        fpu.fsw = vectors.statusWord
        fpu.ftwx = vectors.tagWord
        fpu.last_opcode = vectors.lastOpcode
        fpu.last_ip = vectors.lastInstruction
        fpu.last_dp = vectors.lastData
        fpu.mxcsr = vectors.mxcsr
        unsafe withUnsafeMutableBytes(of: &fpu.fpr) { bytes in
            for number in 0..<8 {
                unsafe bytes.storeBytes(of: vectors[stack: number], toByteOffset: number * 16, as: SIMD2<UInt64>.self)
            }
        }
        unsafe withUnsafeMutableBytes(of: &fpu.xmm) { bytes in
            for number in 0..<16 {
                unsafe bytes.storeBytes(of: vectors.xmm[number], toByteOffset: number * 16, as: SIMD2<UInt64>.self)
            }
        }
        return fpu
    }

    func setFPU(_ fpu: kvm_fpu) {
        vectors.controlWord = fpu.fcw
        vectors.statusWord = fpu.fsw
        vectors.tagWord = fpu.ftwx
        vectors.lastOpcode = fpu.last_opcode
        vectors.lastInstruction = fpu.last_ip
        vectors.lastData = fpu.last_dp
        // MXCSR stays: KVM_SET_FPU has never set it, and VMMs leave 0 there.
        unsafe withUnsafeBytes(of: fpu.fpr) { bytes in
            for number in 0..<8 {
                vectors[stack: number] = unsafe bytes.loadUnaligned(fromByteOffset: number * 16, as: SIMD2<UInt64>.self)
            }
        }
        unsafe withUnsafeBytes(of: fpu.xmm) { bytes in
            for number in 0..<16 {
                vectors.xmm[number] = unsafe bytes.loadUnaligned(fromByteOffset: number * 16, as: SIMD2<UInt64>.self)
            }
        }
    }
}
