// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVMABI

/// A KVM-compatible device, open: /dev/kvm, /dev/rust_kvm or another that speaks KVM's ABI.
public struct System: ~Copyable {
    /// The API version that every KVM since 2.6.22 has.
    public static let apiVersion = 12

    public let path: String
    let file: DeviceFile

    /// Opens a device and makes sure that it speaks KVM's API, version 12. open(2), KVM_GET_API_VERSION
    ///
    /// - Parameter kernel: who has the device; nil for the operating system.
    public init(path: String, in kernel: (any DeviceKernel)? = nil) throws(KVMError) {
        let file = try DeviceFile(opening: path, in: kernel ?? HostKernel.shared)
        let version: Int
        do throws(KVMError) {
            version = try file.call(.getApiVersion)
        } catch {
            throw KVMError(
                operation: error.operation, errno: error.errno, meaning: "\(path) is not a KVM-compatible device")
        }
        guard version == Self.apiVersion else {
            throw KVMError(
                operation: Ioctl.getApiVersion.name, errno: .invalidArgument,
                meaning: "\(path) speaks version \(version) of KVM's API, this program version \(Self.apiVersion)")
        }
        self.path = path
        self.file = file
    }

    /// The least that a call on the device costs, in ticks of the TSC: one that only answers a constant. KVM_GET_API_VERSION
    public func timedNothing() throws(KVMError) -> UInt64 {
        let (result, ticks) = file.kernel.run(file.descriptor, Ioctl.getApiVersion.request)
        if case .failure(let errno) = result { throw KVMError(.getApiVersion, errno) }
        return ticks
    }

    /// What the device says of a capability: 0 when it doesn't have it. KVM_CHECK_EXTENSION
    public func check(_ capability: Capability) throws(KVMError) -> Int {
        try file.call(.checkExtension, UInt(capability.number))
    }

    /// Bytes to map for a vCPU's run page. KVM_GET_VCPU_MMAP_SIZE
    public func runPageSize() throws(KVMError) -> Int { try file.call(.getVcpuMmapSize) }

    /// CPUID as the device can offer it to a guest. KVM_GET_SUPPORTED_CPUID
    public func supportedCPUID() throws(KVMError) -> CPUIDTable { try CPUIDTable(supportedBy: file) }

    /// Indices of the MSRs that are part of a vCPU's state. KVM_GET_MSR_INDEX_LIST
    public func msrIndices() throws(KVMError) -> [UInt32] { try MSRList.indices(file) }

    /// Makes a virtual machine. KVM_CREATE_VM
    public func makeVirtualMachine(_ personality: Personality = .kvm) throws(KVMError) -> VirtualMachine {
        let runPageSize = try runPageSize()
        let made = file.adopt(try file.call(.createVm))
        switch personality {
        case .kvm:
            return VirtualMachine(file: made, kept: nil, personality: personality, runPageSize: runPageSize)
        case .oneFile:
            return VirtualMachine(
                file: try file.duplicate(), kept: made, personality: personality, runPageSize: runPageSize)
        }
    }
}
