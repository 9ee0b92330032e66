// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMSys
import CVMXCases
import Glibc
import KVMABI
import VMXCases

/// A processor's VMX, one VMLAUNCH at a time: the device of test_misc/vmx_cases.
struct Device {
    static let path = "/dev/vmx_cases"

    private let descriptor: Int32
    /// Where the memory that cases have begins: a multiple of its 4 MiB.
    let arena: UInt64
    let physicalAddressBits: UInt8

    init() throws(Problem) {
        let descriptor = unsafe lkx_sys_open(Self.path)
        guard descriptor >= 0 else {
            throw Problem("\(Self.path): error \(-descriptor); is vmx_cases.ko loaded, and are you root?")
        }
        var info = vmx_cases_info()
        let result = unsafe withUnsafeMutablePointer(to: &info) { pointer in
            lkx_sys_ioctl(descriptor, vmx_cases_ioctl_info, UInt(bitPattern: pointer))
        }
        guard result == 0 else { throw Problem("\(Self.path): VMX_CASES_INFO: error \(-result)") }
        self.descriptor = descriptor
        arena = info.arena
        physicalAddressBits = UInt8(truncatingIfNeeded: info.physical_bits)
    }

    /// A capability MSR; nil where RDMSR raises #GP.
    func msr(_ index: UInt32) throws(Problem) -> UInt64? {
        var msr = vmx_cases_msr(index: index, exists: 0, value: 0)
        let result = unsafe withUnsafeMutablePointer(to: &msr) { pointer in
            lkx_sys_ioctl(descriptor, vmx_cases_ioctl_msr, UInt(bitPattern: pointer))
        }
        guard result == 0 else {
            throw Problem("\(Self.path): VMX_CASES_MSR of 0x\(String(index, radix: 16)): error \(-result)")
        }
        return msr.exists == 0 ? nil : msr.value
    }

    /// Writes quadwords at an offset of the arena.
    func write(_ words: [UInt64], at offset: UInt64) throws(Problem) {
        let count = unsafe words.withUnsafeBytes { buffer in
            unsafe pwrite(descriptor, buffer.baseAddress, buffer.count, Int(offset))
        }
        guard count == words.count * 8 else {
            throw Problem("\(Self.path): wrote \(count) of \(words.count * 8) bytes at 0x\(String(offset, radix: 16))")
        }
    }

    /// Reads one quadword.
    func word(at offset: UInt64) throws(Problem) -> UInt64 {
        var word: UInt64 = 0
        let count = unsafe withUnsafeMutableBytes(of: &word) { buffer in
            unsafe pread(descriptor, buffer.baseAddress, buffer.count, Int(offset))
        }
        guard count == 8 else {
            throw Problem("\(Self.path): read \(count) of 8 bytes at 0x\(String(offset, radix: 16))")
        }
        return word
    }

    /// Launches a guest from a VMCS with these fields over the host's state.
    /// - Parameter wanted: what is read of the VMCS afterwards.
    func launch(
        _ fields: [FieldValue], rdi: UInt64 = 0, reading wanted: [VMCSField] = Answer.fields
    ) throws(Problem) -> Answer {
        var writes = fields.map { vmx_cases_field(encoding: $0.field.rawValue, exists: 0, value: $0.value) }
        var reads = wanted.map { vmx_cases_field(encoding: $0.rawValue, exists: 0, value: 0) }
        var run = vmx_cases_run()
        run.field_count = UInt32(writes.count)
        run.result_count = UInt32(reads.count)
        run.rdi = rdi
        let result = unsafe writes.withUnsafeMutableBufferPointer { written in
            unsafe reads.withUnsafeMutableBufferPointer { read in
                unsafe withUnsafeMutablePointer(to: &run) { pointer in
                    unsafe pointer.pointee.fields = UInt64(UInt(bitPattern: written.baseAddress))
                    unsafe pointer.pointee.results = UInt64(UInt(bitPattern: read.baseAddress))
                    return lkx_sys_ioctl(descriptor, vmx_cases_ioctl_run, UInt(bitPattern: pointer))
                }
            }
        }
        guard result == 0 else { throw Problem("\(Self.path): VMX_CASES_RUN: error \(-result)") }
        return Answer(run, reads)
    }
}
