// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CKVMABI
import CLikexCore
import Glibc
public import KVM
import KVMABI
import Synchronization
import VMXSim

/// LiKeX's device with no hardware and no module: the module's own core, compiled into this process, on a processor written
/// in Swift. `System(path: SimulatedKernel.path, in: SimulatedKernel())` opens it.
@safe public final class SimulatedKernel: DeviceKernel, @unchecked Sendable {
    /// What the device is called where others have a path.
    public static let path = "sim"

    private enum Object {
        case system(SimulatedSystem)
        case vm(SimulatedVM)
        case vcpu(SimulatedVCPU, SimulatedVM)
    }

    private struct Mapped {
        let pages: RunPages
        var count: Int
    }

    private struct Table: @unchecked Sendable {
        var objects: [Int32: Object] = [:]
        var mapped: [UInt: Mapped] = [:]
        /// No descriptor of the operating system's is as large.
        var next: Int32 = 1 << 24
    }

    let machine: Machine
    private let table = Mutex(Table())
    private static let ioctls = Dictionary(uniqueKeysWithValues: Ioctl.allCases.map { ($0.request, $0) })

    /// - Parameters:
    ///   - logsModifiedPages: the processor has page-modification logging, and the dirty log is by that: the module's parameter `pml`.
    ///   - postsInterrupts: it has posted interrupts, and all that comes with them: the module's parameter `posted_interrupts`.
    public init(logsModifiedPages: Bool = false, postsInterrupts: Bool = false) throws(KVMError) {
        var capabilities = postsInterrupts ? Model.postingCapabilities : Model.capabilities
        if logsModifiedPages { capabilities.proc2 |= Model.loggingCapabilities.proc2 }
        do throws(MissingFeature) {
            machine = try Machine(capabilities)
        } catch {
            throw KVMError(
                operation: "start the simulator", errno: .noDevice,
                meaning: "the simulated processor lacks \(error.name)")
        }
    }

    /// What the core did that it must never do, and VM entries that the processor refused, with the check that each failed.
    public var warnings: [String] { machine.lock.withLock { machine.warnings } }

    /// Pages and objects that the core holds: 0 when every file is closed.
    public var held: UInt64 { machine.held }

    public func open(_ path: String) -> Result<Int32, Errno> {
        guard path == Self.path else { return .failure(.noSuchFile) }
        return .success(add(.system(SimulatedSystem(machine))))
    }

    public func close(_ descriptor: Int32) {
        // What it was the last reference to goes after the lock is given up.
        let gone = table.withLock { $0.objects.removeValue(forKey: descriptor) }
        withExtendedLifetime(gone) {}
    }

    public func duplicate(_ descriptor: Int32) -> Result<Int32, Errno> {
        guard let object = find(descriptor) else { return .failure(.badDescriptor) }
        return .success(add(object))
    }

    public func ioctl(_ descriptor: Int32, _ request: UInt32, _ argument: UInt) -> Result<Int, Errno> {
        guard let object = find(descriptor) else { return .failure(.badDescriptor) }
        guard let ioctl = Self.ioctls[request] else { return .failure(.notATypewriter) }
        let value =
            switch object {
            case .system(let system): systemIoctl(system, ioctl, argument)
            case .vm(let vm): vmIoctl(vm, ioctl, argument)
            case .vcpu(let vcpu, _): vcpu.ioctl(ioctl, argument)
            }
        return value < 0 ? .failure(Errno(rawValue: Int32(-value))) : .success(value)
    }

    public func run(_ descriptor: Int32, _ request: UInt32) -> (Result<Int, Errno>, ticks: UInt64) {
        let start = machine.bus.ticks
        let result = ioctl(descriptor, request, 0)
        return (result, machine.bus.ticks &- start)
    }

    @unsafe public func map(_ descriptor: Int32, _ length: Int) -> Result<UnsafeMutableRawPointer, Errno> {
        let pages: RunPages? =
            switch find(descriptor) {
            case .vcpu(let vcpu, _): vcpu.pages
            case .system(let system): system.ownVM?.vcpus.first?.pages
            default: nil
            }
        guard let pages else { return unsafe .failure(.noDevice) }
        guard length > 0, length <= RunPages.size else { return unsafe .failure(.invalidArgument) }
        let address = unsafe UInt(bitPattern: pages.base)
        table.withLock { table in
            table.mapped[address, default: Mapped(pages: pages, count: 0)].count += 1
        }
        return unsafe .success(pages.base)
    }

    @unsafe public func unmap(_ address: UnsafeMutableRawPointer, _ length: Int) {
        let key = UInt(bitPattern: address)
        table.withLock { table in
            table.mapped[key]?.count -= 1
            if table.mapped[key]?.count == 0 { table.mapped[key] = nil }
        }
    }

    /// Every VM that a descriptor is open of, or of one of its vCPUs.
    var vms: [SimulatedVM] {
        let all = table.withLock { table in
            table.objects.values.compactMap { object -> SimulatedVM? in
                switch object {
                case .system: nil
                case .vm(let vm), .vcpu(_, let vm): vm
                }
            }
        }
        return Dictionary(all.map { (ObjectIdentifier($0), $0) }) { one, _ in one }.values.map { $0 }
    }

    private func find(_ descriptor: Int32) -> Object? { table.withLock { $0.objects[descriptor] } }

    /// LIKEX_CREATE: linux/create.c's part.
    private func create(_ system: SimulatedSystem, _ argument: UInt) -> Int {
        let (made, error) = SimulatedCreation.make(argument, machine)
        guard let made else { return error }
        let (vm, vcpu) = (reserve(), reserve())
        let answer = likex_created(vm_fd: vm, vcpu_fd: vcpu, run_size: UInt32(RunPages.size), reserved: 0)
        guard SimulatedCreation.answer(answer, argument) else { return Int(-EFAULT) }
        table.withLock { table in
            table.objects[vm] = .vm(made.vm)
            table.objects[vcpu] = .vcpu(made.vcpu, made.vm)
        }
        system.ownVM = made.vm
        return 0
    }

    /// A descriptor that nothing stands behind yet.
    private func reserve() -> Int32 {
        table.withLock { table in
            defer { table.next += 1 }
            return table.next
        }
    }

    private func add(_ object: Object) -> Int32 {
        table.withLock { table in
            defer { table.next += 1 }
            table.objects[table.next] = object
            return table.next
        }
    }

    private func systemIoctl(_ system: SimulatedSystem, _ ioctl: Ioctl, _ argument: UInt) -> Int {
        switch ioctl {
        case .getApiVersion: return argument == 0 ? Int(KVM_API_VERSION) : Int(-EINVAL)
        case .createVm:
            if argument != 0 { return Int(-EINVAL) }
            guard let vm = SimulatedVM(machine) else { return Int(-ENOMEM) }
            system.ownVM = vm
            return Int(add(.vm(vm)))
        case .likexCreate: return create(system, argument)
        case .checkExtension: return SimulatedSystem.check(argument, machine)
        case .getVcpuMmapSize: return argument == 0 ? RunPages.size : Int(-EINVAL)
        case .getSupportedCpuid: return machine.lock.withLock { system.supportedCPUID(argument) }
        case .getMsrIndexList: return machine.lock.withLock { system.msrIndices(argument, features: false) }
        case .getMsrFeatureIndexList: return machine.lock.withLock { system.msrIndices(argument, features: true) }
        default: break
        }
        // LiKeX's way: it is for the VM that this file made, or for its first vCPU.
        if let vm = system.ownVM {
            switch ioctl {
            case .createVcpu, .setUserMemoryRegion, .setUserMemoryRegion2, .setTssAddr, .setIdentityMapAddr, .getClock, .setClock,
                .enableCap, .getDirtyLog, .clearDirtyLog, .x86SetMsrFilter:
                return vmIoctl(vm, ioctl, argument)
            default: if let vcpu = vm.vcpus.first { return vcpu.ioctl(ioctl, argument) }
            }
        }
        return ioctl == .getMsrs ? system.msrFeatures(argument) : Int(-ENOTTY)
    }

    private func vmIoctl(_ vm: SimulatedVM, _ ioctl: Ioctl, _ argument: UInt) -> Int {
        switch ioctl {
        case .createVcpu:
            let (vcpu, error) = vm.makeVCPU(argument)
            guard let vcpu else { return error }
            return Int(add(.vcpu(vcpu, vm)))
        case .setUserMemoryRegion: return vm.setRegion(argument)
        case .setUserMemoryRegion2: return vm.setRegion2(argument)
        case .setTssAddr: return vm.setTSSAddress(argument)
        case .setIdentityMapAddr: return vm.setIdentityMapAddress(argument)
        case .getClock: return vm.getClock(argument)
        case .setClock: return vm.setClock(argument)
        case .enableCap: return vm.enableCapability(argument)
        case .getDirtyLog: return vm.getDirtyLog(argument)
        case .clearDirtyLog: return vm.clearDirtyLog(argument)
        case .x86SetMsrFilter: return vm.setMSRFilter(argument)
        case .checkExtension: return SimulatedSystem.check(argument, machine)
        default: return Int(-ENOTTY)
        }
    }
}
