// SPDX-License-Identifier: MIT OR GPL-2.0-only
import ArgumentParser
import KVM
import Simulator
import TestMachine

/// Which device, and how its files are used.
struct DeviceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The device, or sim for the simulated one (default: /dev/rust_kvm if there is one, else /dev/kvm, else sim).",
            valueName: "path"))
    var device: String?

    @Flag(help: "LiKeX's way: every ioctl on the one file of the device. Only /dev/rust_kvm has it.")
    var oneFile = false

    var personality: Personality { oneFile ? .oneFile : .kvm }

    /// Opens the device, and says in one line which it is where that wasn't asked for.
    func open() throws(MachineError) -> System {
        if let device { return try Self.open(device) }
        let path = [Devices.likex, Devices.stock].first(where: Console.exists) ?? Devices.simulated
        let why =
            switch path {
            case Devices.likex: ""
            case Devices.stock: ", there is no \(Devices.likex)"
            default: ", the simulated device: there is neither \(Devices.likex) nor \(Devices.stock)"
            }
        Console.error("likex: using \(path)\(why)")
        return try Self.open(path)
    }

    static func open(_ path: String) throws(MachineError) -> System {
        do throws(KVMError) {
            return try System(path: path, in: path == Devices.simulated ? SimulatedKernel() : nil)
        } catch {
            throw .device(path: path, error)
        }
    }
}

/// The devices that the command knows of.
enum Devices {
    static let likex = "/dev/rust_kvm"
    static let stock = "/dev/kvm"
    /// Not a file: the module's own logic on a simulated processor, in this process.
    static let simulated = SimulatedKernel.path
}

extension System {
    /// What CPUID answers in a guest that runs on this device alone.
    func guestCPUID() throws(MachineError) -> CPUIDTable { CPUIDTable.common([try offeredCPUID()]) }

    /// CPUID as the device offers it.
    func offeredCPUID() throws(MachineError) -> CPUIDTable {
        do throws(KVMError) {
            return try supportedCPUID()
        } catch {
            throw .device(path: path, error)
        }
    }
}
