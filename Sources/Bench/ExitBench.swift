// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import Glibc
import KVM

/// What an exit costs that user space sees to, and one that the kernel sees to by itself.
struct ExitBench {
    let device: BenchDevice
    let rounds: Int

    /// A system call that does almost nothing, and a call on the device that does: the floor of all that goes to user space.
    func floor() throws(KVMError) -> [Measurement] {
        let system = try device.open()
        var calls: [UInt64] = []
        var nothing: [UInt64] = []
        for _ in 0..<rounds {
            let begin = Host.ticks
            _ = getppid()
            calls.append(Host.ticks - begin)
            nothing.append(try system.timedNothing())
        }
        return [
            Measurement("getppid", "system call getppid", .ticks, calls),
            Measurement("null-ioctl", "ioctl that answers a constant", .ticks, nothing),
        ]
    }

    /// One exit from the VMM's call of KVM_RUN to its return.
    func userExit(_ name: String, _ title: String, _ code: GuestCode, _ kind: ExitKind) throws(KVMError) -> Measurement
    {
        let vm = try FlatVM(code, on: device)
        // The first ones fault pages in.
        for _ in 0..<4 { _ = try vm.run(to: kind) }
        var samples: [UInt64] = []
        samples.reserveCapacity(rounds)
        for _ in 0..<rounds { samples.append(try vm.run(to: kind)) }
        return Measurement(name, title, .ticks, samples)
    }

    func userExits() throws(KVMError) -> [Measurement] {
        [
            try userExit("exit-io", "exit to user space: OUT", .output, .output),
            try userExit("exit-mmio", "exit to user space: MMIO store", .storeToNothing, .mmio),
            try userExit("exit-hlt", "exit to user space: HLT", .halt, .halt),
        ]
    }

    /// Operations between two looks at the TSC: few, so that the host's timer falls between the looks in few rounds.
    private static let batch = 16

    /// One exit as the guest sees it: the ticks of a batch without those of an empty one.
    private func kernelExit(_ name: String, _ title: String, _ operation: GuestCode.Operation) throws(KVMError)
        -> Measurement
    {
        let full = try FlatVM(.timed(operation, count: Self.batch), on: device)
        let full16 = try batches(full)
        let empty = Measurement("", "", .ticks, try batches(FlatVM(.timed(operation, count: 0), on: device)))
        return Measurement(
            name, title, .ticks, full16.map { (Double($0) - (empty.value ?? 0)) / Double(Self.batch) })
    }

    private func batches(_ vm: borrowing FlatVM) throws(KVMError) -> [UInt64] {
        _ = try vm.run(to: .output)
        var samples: [UInt64] = []
        for _ in 0..<rounds {
            _ = try vm.run(to: .output)
            samples.append(UInt64(UInt32(truncatingIfNeeded: try vm.vcpu.registers().rax)))
        }
        return samples
    }

    func kernelExits() throws(KVMError) -> [Measurement] {
        [
            try kernelExit("cpuid", "CPUID, in the kernel", .cpuid),
            try kernelExit("vmcall", "VMCALL, in the kernel", .vmcall),
            try kernelExit("rdmsr", "RDMSR of IA32_PAT, in the kernel", .rdmsr),
            try kernelExit("wrmsr", "WRMSR of IA32_PAT, in the kernel", .wrmsr),
        ]
    }
}
